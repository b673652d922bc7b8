import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

const CHANNEL = "saas_signup:";
const EVERY = 5000; // milliseconds, where nothing is pushed
const FIRST = 300;
const APART = 150; // between two looks

/**
 * Follows the committed steps, and opens the tenant once it is ready.
 *
 * What is pushed only says that it is time to look: what the page shows comes from one
 * place, in the right order, whether it was pushed or not.
 */
export class SignupProgress extends Interaction {
    static selector = ".o_saas_progress";

    start() {
        if (!["confirmed", "building"].includes(this.el.dataset.state)) {
            return;
        }
        this.follow();
        this.timer = this.waitForTimeout(() => this.poll(), FIRST);
    }

    follow() {
        const { bus_service: bus } = this.services;
        const channel = CHANNEL + this.el.dataset.token;
        const onPush = () => this.poll();
        bus.subscribe("saas.signup/progress", onPush);
        bus.addChannel(channel);
        this.registerCleanup(() => {
            bus.unsubscribe("saas.signup/progress", onPush);
            bus.deleteChannel(channel);
        });
    }

    /** Looks now, or right after the look that is under way. */
    async poll() {
        if (this.looking) {
            this.again = true;
            return;
        }
        this.looking = true;
        this.again = false;
        clearTimeout(this.timer);
        const ended = await this.look();
        this.looking = false;
        if (!ended) {
            this.timer = this.waitForTimeout(() => this.poll(), this.again ? APART : EVERY);
        }
    }

    /** Returns whether there is nothing more to follow on this page. */
    async look() {
        try {
            const response = await this.waitFor(
                fetch(this.el.dataset.url, { headers: { Accept: "application/json" } })
            );
            return response.ok && this.update(await this.waitFor(response.json()));
        } catch {
            return false; // a network that is away for a moment: the next look will tell
        }
    }

    /** Returns whether there is nothing more to follow on this page. */
    update(progress) {
        if (progress.state === "done") {
            this.open();
            return true;
        }
        const waits = progress.state === "confirmed";
        if (progress.state === "failed" || waits !== (this.el.dataset.state === "confirmed")) {
            window.location.reload();
            return true;
        }
        const title = this.el.querySelector(".o_saas_title");
        if (title.textContent !== progress.title) {
            title.textContent = progress.title;
        }
        if (waits) {
            return false; // nothing is being built yet
        }
        const bar = this.el.querySelector(".o_saas_bar");
        bar.setAttribute("aria-valuenow", progress.percent);
        bar.firstElementChild.style.width = `${progress.percent}%`;
        const items = this.el.querySelectorAll(".o_saas_steps li");
        progress.steps.forEach((step, index) => (items[index].dataset.state = step.state));
        this.say(progress.steps.find((step) => step.state === "running")?.label);
        return false;
    }

    /** Tells those who do not see the page what is being done. */
    say(label) {
        const said = this.el.querySelector(".o_saas_said");
        if (label && said.textContent !== label) {
            said.textContent = label;
        }
    }

    open() {
        const form = document.createElement("form");
        form.method = "post";
        form.action = this.el.dataset.url.replace(/status$/, "open");
        const token = document.createElement("input");
        token.type = "hidden";
        token.name = "csrf_token";
        token.value = odoo.csrf_token;
        form.append(token);
        this.insert(form);
        form.submit();
    }
}

registry.category("public.interactions").add("saas_website.signup_progress", SignupProgress);
