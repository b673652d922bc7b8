import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { Component } from "@odoo/owl";

/** How much of a batch is done, failed and left, as one bar and in words. */
export class SaasBatchProgress extends Component {
    static template = "saas.BatchProgress";
    static props = { ...standardWidgetProps };

    get parts() {
        const { total_count: total, ...counts } = this.props.record.data;
        const parts = [
            { name: "done", label: _t("Done"), color: "bg-success", count: counts.done_count },
            { name: "failed", label: _t("Failed or refused"), color: "bg-danger", count: counts.failed_count },
            { name: "cancelled", label: _t("Cancelled"), color: "bg-secondary", count: counts.cancelled_count },
            { name: "left", label: _t("Left"), color: "bg-300", count: counts.left_count },
        ];
        return parts.map((part) => ({
            ...part,
            width: total ? `width: ${(100 * part.count) / total}%` : "width: 0",
        }));
    }

    get percent() {
        const { total_count: total, left_count: left } = this.props.record.data;
        return total ? Math.floor((100 * (total - left)) / total) : 100;
    }
}

registry.category("view_widgets").add("saas_batch_progress", {
    component: SaasBatchProgress,
    fieldDependencies: [
        { name: "total_count", type: "integer" },
        { name: "done_count", type: "integer" },
        { name: "failed_count", type: "integer" },
        { name: "cancelled_count", type: "integer" },
        { name: "left_count", type: "integer" },
        { name: "date_done", type: "datetime" },
    ],
});
