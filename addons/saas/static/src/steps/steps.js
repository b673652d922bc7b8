import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { Component } from "@odoo/owl";

const STEP_FIELDS = [
    { name: "label", type: "char" },
    { name: "state", type: "selection", selection: [] },
    { name: "message", type: "char" },
    { name: "duration", type: "float", digits: [12, 3] },
];
export const ICONS = {
    pending: "fa-circle-o text-muted",
    running: "fa-circle-o-notch fa-spin text-info",
    done: "fa-check-circle text-success",
    failed: "fa-times-circle text-danger",
    refused: "fa-times-circle text-danger",
    cancelled: "fa-minus-circle text-muted",
};
const COLORS = {
    running: "bg-info",
    done: "bg-success",
    failed: "bg-danger",
    refused: "bg-danger",
};

/** The steps as a short bar, and the name of the one that matters. */
export class SaasStepsField extends Component {
    static template = "saas.StepsField";
    static props = { ...standardFieldProps };

    get steps() {
        return this.props.record.data[this.props.name].records.map((step) => ({
            id: step.id,
            title: step.data.message
                ? `${step.data.label}: ${step.data.message}`
                : step.data.label,
            color: COLORS[step.data.state] || "bg-300",
            done: step.data.state === "done",
            label: step.data.label,
        }));
    }

    get current() {
        return this.steps.find((step) => !step.done);
    }
}

registry.category("fields").add("saas_steps", {
    component: SaasStepsField,
    supportedTypes: ["one2many"],
    listViewWidth: [150, 280],
    relatedFields: () => STEP_FIELDS,
});

/** The steps of the operation that the tenant's state speaks of, each with its state and seconds. */
export class SaasLatestSteps extends Component {
    static template = "saas.LatestSteps";
    static props = { ...standardWidgetProps };

    get operation() {
        const { operation_ids, last_operation_id } = this.props.record.data;
        const operations = operation_ids.records.filter(
            (operation) => operation.data.step_ids.records.length
        );
        // After a failure that one matters, not the clean-up that came after it.
        const last = operations.find(({ resId }) => resId === last_operation_id?.id);
        return last || operations[0];
    }

    get title() {
        const { kind } = this.operation.data;
        const { selection } = this.operation.fields.kind;
        return Object.fromEntries(selection)[kind];
    }

    get steps() {
        const states = Object.fromEntries(this.operation.fields.state.selection);
        return this.operation.data.step_ids.records.map((step) => ({
            id: step.id,
            icon: ICONS[step.data.state],
            title: states[step.data.state],
            muted: step.data.state === "pending",
            label: step.data.label,
            message: step.data.message,
            failed: ["failed", "refused"].includes(step.data.state),
            seconds: step.data.duration ? `${step.data.duration.toFixed(2)} s` : "",
        }));
    }
}

registry.category("view_widgets").add("saas_latest_steps", {
    component: SaasLatestSteps,
});
