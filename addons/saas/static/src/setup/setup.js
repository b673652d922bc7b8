import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { FormViewDialog } from "@web/views/view_dialogs/form_view_dialog";
import { Component, onMounted, onWillStart, onWillUnmount, useState } from "@odoo/owl";
import { ICONS } from "../steps/steps";
import { patiently } from "../utils/patiently";

const INTERVAL = 1000; // ms
const MODEL = "saas.setup.step";
const STATES = {
    unknown: _t("Not looked at yet"),
    checking: _t("Looking…"),
    ok: _t("Ready"),
    failed: _t("Does not work"),
    missing: _t("Missing"),
};

/**
 * What a new master needs, one step after the other. All of it lies in the real records:
 * the page may be left at any time.
 */
export class SaasSetup extends Component {
    static template = "saas.Setup";
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.dialog = useService("dialog");
        this.state = useState({
            steps: [],
            chosen: null, // the step that somebody has opened
            domain: "",
            refusal: "", // why the domain was not taken
            busy: false,
        });
        this.working = null; // the step that somebody is bringing forward
        onWillStart(async () => {
            await patiently(() => this.load());
            await patiently(() => this.orm.call(MODEL, "action_check", [this.toCheck]));
            await patiently(() => this.load());
        });
        onMounted(() => {
            this.timer = browser.setInterval(() => this.follow(), INTERVAL);
        });
        onWillUnmount(() => browser.clearInterval(this.timer));
    }

    // === WHAT IS SHOWN === //

    get ready() {
        return this.state.steps.filter((step) => step.state === "ok").length;
    }

    get isDone() {
        return this.ready === this.state.steps.length;
    }

    /** The step that is open: the chosen one, else the first that needs somebody. */
    get open() {
        const { steps, chosen } = this.state;
        if (chosen) {
            return chosen;
        }
        const next = steps.find((step) => step.state !== "ok");
        return next?.state === "checking" && !next.progress.length ? null : next?.code;
    }

    label(step) {
        return STATES[step.state];
    }

    icon(progress) {
        return ICONS[progress.state];
    }

    seconds(progress) {
        return progress.seconds ? `${progress.seconds.toFixed(2)} s` : "";
    }

    // === WHAT IS DONE === //

    async load() {
        const { steps, domain, to_check: toCheck } = await this.orm.call(MODEL, "get_setup", []);
        if (this.state.domain === (this.domain || "")) {
            this.state.domain = domain; // nobody is typing another one
        }
        this.domain = domain;
        this.toCheck = toCheck;
        this.state.steps = steps;
        const working = steps.find((step) => step.code === this.working);
        if (working?.state === "ok") {
            // On to the next; the first tenant stays open, as one wants to go there.
            this.working = null;
            this.state.chosen = working === steps.at(-1) ? working.code : null;
        }
    }

    /** Look again while something is under way; otherwise nothing is asked. */
    async follow() {
        const isUnderWay = this.state.steps.some((step) => step.state === "checking");
        if (!isUnderWay || this.loading || document.hidden) {
            return;
        }
        this.loading = true;
        try {
            await patiently(() => this.load());
        } finally {
            this.loading = false;
        }
    }

    toggle(step) {
        this.working = null;
        this.state.chosen = this.open === step.code ? "none" : step.code;
    }

    /** Do something about a step, and show what becomes of it. */
    async work(step, task) {
        this.working = step.state === "ok" ? null : step.code;
        this.state.chosen = step.code;
        this.state.busy = true;
        try {
            return await task();
        } finally {
            this.state.busy = false;
            await this.load();
        }
    }

    press(step, button) {
        if (button.kind === "menu") {
            return this.action.doAction(button.action);
        }
        return button.kind === "form" ? this.fill(step, button) : this.call(step, button);
    }

    async call(step, { model, method, id }) {
        const answer = await this.work(step, () => this.orm.call(model, method, [[id]]));
        if (answer?.type) {
            await this.action.doAction(answer);
        }
    }

    fill(step, { model, id, view, context, label }) {
        this.dialog.add(FormViewDialog, {
            resModel: model,
            resId: id,
            viewId: view,
            context,
            title: view ? label : step.name,
            canExpand: false,
            size: view ? "md" : "lg",
            onRecordSaved: (record) =>
                this.work(step, () =>
                    this.orm.call(MODEL, "action_continue", [[step.id], record.resId])
                ),
        });
    }

    async saveDomain(step) {
        this.state.refusal = "";
        const { domain } = this.state;
        await this.work(step, async () => {
            try {
                await this.orm.call(MODEL, "set_tenant_domain", [domain]);
                this.domain = domain;
                this.working = step.code; // on to the next one, though it was ready
            } catch (error) {
                if (!error.data?.message) {
                    throw error;
                }
                this.state.refusal = error.data.message;
            }
        });
    }

    openMenu(xmlId) {
        return this.action.doAction(xmlId);
    }
}

registry.category("actions").add("saas.setup", SaasSetup);
