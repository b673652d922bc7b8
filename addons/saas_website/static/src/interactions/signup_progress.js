import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

const EVERY = 1000; // milliseconds
const FIRST = 300;

/** Follows the committed steps, and opens the tenant once it is ready. */
export class SignupProgress extends Interaction {
    static selector = ".o_saas_progress";

    start() {
        const state = this.el.dataset.state;
        this.under_way = ["confirmed", "building"].includes(state);
        if (this.under_way) {
            this.waitForTimeout(() => this.poll(), FIRST);
        }
    }

    async poll() {
        try {
            const response = await this.waitFor(
                fetch(this.el.dataset.url, { headers: { Accept: "application/json" } })
            );
            if (response.ok && this.update(await this.waitFor(response.json()))) {
                return;
            }
        } catch {
            // A network that is away for a moment: the next look will tell.
        }
        this.waitForTimeout(() => this.poll(), EVERY);
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
        const place = this.el.querySelector(".o_saas_place");
        if (place && place.textContent !== String(progress.place)) {
            place.textContent = progress.place;
        }
        const bar = this.el.querySelector(".o_saas_bar");
        bar.setAttribute("aria-valuenow", progress.percent);
        bar.firstElementChild.style.width = `${progress.percent}%`;
        const items = this.el.querySelectorAll(".o_saas_steps li");
        progress.steps.forEach((step, index) => (items[index].dataset.state = step.state));
        return false;
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
