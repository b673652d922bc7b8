import { browser } from "@web/core/browser/browser";
import { ConnectionLostError } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { useBus } from "@web/core/utils/hooks";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";
import { onMounted, onWillUnmount } from "@odoo/owl";

const INTERVAL = 1000; // ms

function isUnfinished(operation) {
    return ["pending", "running"].includes(operation.data.state);
}

/** Whether the worker is doing something that this record will show. */
export function isUnderWay(record) {
    const { check_state: check, operation_ids: operations } = record.data;
    if (record.resModel === "saas.batch") {
        return !record.data.date_done;
    }
    if (record.resModel === "saas.operation") {
        return isUnfinished(record);
    }
    return check === "checking" || (operations?.records || []).some(isUnfinished);
}

/**
 * A form that follows what the worker does. While nothing is under way it asks nothing.
 */
export class SaasLiveFormController extends FormController {
    setup() {
        super.setup();
        this.typing = false;
        // A record gets dirty only once a field is left; this tells of each key.
        useBus(this.model.bus, "FIELD_IS_DIRTY", (ev) => (this.typing = ev.detail));
        onMounted(() => {
            this.timer = browser.setInterval(() => this.refresh(), INTERVAL);
        });
        onWillUnmount(() => browser.clearInterval(this.timer));
    }

    get isChoosing() {
        return Boolean(this.rootRef.el?.querySelector("input[aria-expanded='true']"));
    }

    get canRefresh() {
        const { root } = this.model;
        return (
            !root.isNew &&
            !root.dirty &&
            !this.typing &&
            !this.isChoosing &&
            !this.refreshing &&
            !this.formInDialog &&
            !document.hidden &&
            isUnderWay(root)
        );
    }

    async refresh() {
        if (!this.canRefresh) {
            return;
        }
        this.refreshing = true;
        const { root } = this.model;
        try {
            await root.load();
            if (root === this.model.root && !isUnderWay(root)) {
                // The last time, with what else it changed: the messages of the chatter.
                await this.model.load();
            }
        } catch (error) {
            if (!(error instanceof ConnectionLostError)) {
                browser.clearInterval(this.timer); // one message is enough
                throw error;
            }
        } finally {
            this.refreshing = false;
        }
    }
}

registry.category("views").add("saas_live_form", {
    ...formView,
    Controller: SaasLiveFormController,
});
