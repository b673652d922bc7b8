import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { Component, onWillStart } from "@odoo/owl";

const ACTIONS = {
    mrr: "saas_subscription.saas_mrr_movement_action",
    arr: "saas_subscription.saas_mrr_movement_action",
    churn: "saas_subscription.saas_mrr_movement_action",
    trials: "saas_subscription.saas_subscription_trial_action",
    dunning: "saas_subscription.saas_dunning_case_action",
};

/** What subscriptions bring in, and how that moved in the last months. */
export class SaasRevenue extends Component {
    static template = "saas_subscription.Revenue";
    static components = { Layout };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.display = { controlPanel: {} };
        onWillStart(async () => {
            this.data = await this.orm.call("saas.revenue", "get_data", []);
        });
    }

    get columns() {
        return [
            ["opening", _t("Beginning")],
            ["new", _t("New")],
            ["expansion", _t("Expansion")],
            ["reactivation", _t("Reactivation")],
            ["contraction", _t("Contraction")],
            ["churn", _t("Churn")],
            ["closing", _t("End")],
        ];
    }

    open({ key }) {
        return this.action.doAction(ACTIONS[key]);
    }
}

registry.category("actions").add("saas_subscription.revenue", SaasRevenue);
