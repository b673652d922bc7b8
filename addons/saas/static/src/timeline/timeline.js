import { deserializeDateTime, formatDateTime } from "@web/core/l10n/dates";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { patiently } from "../utils/patiently";
import { Component, onWillStart, onWillUpdateProps, useState } from "@odoo/owl";

const PAGE = 30;
const ICONS = {
    operation: "fa-cog",
    hold: "fa-lock",
    lifted: "fa-unlock",
    change: "fa-pencil",
};
const COLORS = {
    pending: "text-muted",
    running: "text-info",
    done: "text-success",
    failed: "text-danger",
    refused: "text-danger",
    cancelled: "text-muted",
};

function formatSeconds(seconds) {
    return seconds ? `${seconds.toFixed(seconds < 10 ? 1 : 0)} s` : "";
}

/** What happened to a tenant, the newest first. */
export class SaasTimeline extends Component {
    static template = "saas.Timeline";
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ entries: [], more: false });
        this.limit = PAGE;
        onWillStart(() => patiently(() => this.load(this.props.record)));
        onWillUpdateProps(async ({ record }) => {
            if (record.resId !== this.loaded.resId) {
                this.limit = PAGE;
            }
            if (this.getSignature(record) !== this.loaded.signature) {
                await patiently(() => this.load(record));
            }
        });
    }

    /** Changes whenever there is something new to tell. */
    getSignature({ resId, data }) {
        const operations = data.operation_ids.records.map(
            (operation) => `${operation.resId} ${operation.data.state}`
        );
        return [resId, data.state, data.plan_id?.id, ...operations].join();
    }

    async load(record) {
        this.loaded = { resId: record.resId, signature: this.getSignature(record) };
        if (record.resId) {
            const told = await this.orm.silent.call("saas.tenant", "get_timeline", [[record.resId]], {
                limit: this.limit,
            });
            Object.assign(this.state, told);
        }
    }

    get entries() {
        return this.state.entries.map((entry) => {
            const date = deserializeDateTime(entry.date);
            return {
                ...entry,
                age: date.toRelative(),
                since: formatDateTime(date),
                iconClass: ICONS[entry.icon],
                color: COLORS[entry.state] || "text-muted",
                duration: formatSeconds(entry.seconds),
                steps: entry.steps.map((step) => ({
                    ...step,
                    color: COLORS[step.state],
                    duration: formatSeconds(step.seconds),
                })),
            };
        });
    }

    showMore() {
        this.limit += PAGE;
        return this.load(this.props.record);
    }

    open(entry) {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "saas.operation",
            res_id: entry.operation_id,
            views: [[false, "form"]],
        });
    }
}

registry.category("view_widgets").add("saas_timeline", { component: SaasTimeline });
