import { browser } from "@web/core/browser/browser";
import { deserializeDateTime, formatDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { ConnectionLostError } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { patiently } from "../utils/patiently";
import { Component, onMounted, onWillStart, onWillUnmount, useState } from "@odoo/owl";

const INTERVAL = 30000; // ms
const COLORS = {
    failed: "danger",
    stopped: "secondary",
    suspended: "warning",
    provisioning: "info",
    running: "success",
    sleeping: "info",
    draft: "secondary",
    deleting: "warning",
    archived: "secondary",
};

/** What needs somebody now, and how many tenants are in which state. */
export class SaasDashboard extends Component {
    static template = "saas.Dashboard";
    static components = { Layout };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.notification = useService("notification");
        this.display = { controlPanel: {} };
        this.state = useState({ data: null, asking: false });
        this.refresh = this.refresh.bind(this);
        onWillStart(() => patiently(() => this.load()));
        onMounted(() => {
            this.timer = browser.setInterval(this.refresh, INTERVAL);
            document.addEventListener("visibilitychange", this.refresh);
        });
        onWillUnmount(() => {
            browser.clearInterval(this.timer);
            document.removeEventListener("visibilitychange", this.refresh);
        });
    }

    async load() {
        this.state.data = await this.orm.silent.call("saas.dashboard", "get_data", []);
    }

    async refresh() {
        if (document.hidden || this.state.asking) {
            return;
        }
        try {
            await this.load();
        } catch (error) {
            if (!(error instanceof ConnectionLostError)) {
                browser.clearInterval(this.timer); // one message is enough
                throw error;
            }
        }
    }

    get items() {
        return this.state.data.items.map((item) => {
            const date = item.date && deserializeDateTime(item.date);
            return {
                ...item,
                age: date ? date.toRelative() : "",
                since: date ? formatDateTime(date) : "",
                openTitle: _t("Open: %s", item.subject),
                mendTitle: item.mend ? `${item.mend.label}: ${item.subject}` : "",
            };
        });
    }

    get tiles() {
        return this.state.data.states.map((tile) => ({
            ...tile,
            color: `bg-${COLORS[tile.state]}`,
        }));
    }

    get summary() {
        const { states, servers, under_way: underWay } = this.state.data;
        const running = states.find(({ state }) => state === "running").count;
        return [
            _t("Tenants that run: %s.", running),
            _t("Servers: %s.", servers),
            _t("Operations under way: %s.", underWay),
        ].join(" ");
    }

    openTile({ state }) {
        return this.action.doAction("saas.saas_tenant_action", {
            additionalContext: { search_default_present: 0, [`search_default_${state}`]: 1 },
        });
    }

    open(item) {
        const { model, res_id: resId, domain, subject } = item;
        const views = resId ? [[false, "form"]] : [[false, "list"], [false, "kanban"], [false, "form"]];
        return this.action.doAction({
            type: "ir.actions.act_window",
            name: subject,
            res_model: model,
            res_id: resId || undefined,
            domain: domain || [],
            views,
        });
    }

    async mend({ mend, subject }) {
        this.state.asking = true;
        try {
            await this.orm.call(mend.model, mend.method, [mend.ids]);
            this.notification.add(_t("%(label)s was asked for: %(subject)s", { label: mend.label, subject }), {
                type: "success",
            });
            await this.load();
        } finally {
            this.state.asking = false;
        }
    }
}

registry.category("actions").add("saas.dashboard", SaasDashboard);
