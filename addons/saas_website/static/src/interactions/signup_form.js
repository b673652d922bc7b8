import { Interaction } from "@web/public/interaction";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { rpc } from "@web/core/network/rpc";

/** Says while one types whether an address is free, and offers some that are. */
export class SignupForm extends Interaction {
    static selector = ".o_saas_signup_form";
    dynamicContent = {
        "#name": { "t-on-input": this.debounced(this.onNameInput, 350) },
        "#company_name": { "t-on-change": this.onCompanyChange },
        ".o_saas_suggestions": { "t-on-click": this.onSuggestionClick },
    };

    setup() {
        this.nameEl = this.el.querySelector("#name");
        this.messageEl = this.el.querySelector("#name_message");
        this.suggestionsEl = this.el.querySelector(".o_saas_suggestions");
    }

    start() {
        // What was typed before the scripts came is looked at, too.
        if (this.nameEl.value) {
            this.onNameInput();
        }
    }

    async onNameInput() {
        const name = this.nameEl.value.trim().toLowerCase();
        if (!name) {
            this.show({ message: "", suggestions: [] });
            return;
        }
        const answer = await this.waitFor(rpc("/saas/signup/available", { name }));
        // An answer that came late says nothing about what was typed since.
        if (name === this.nameEl.value.trim().toLowerCase()) {
            this.show(answer);
        }
    }

    async onCompanyChange(ev) {
        if (this.nameEl.value) {
            return;
        }
        const company = ev.currentTarget.value;
        const answer = await this.waitFor(rpc("/saas/signup/available", { company }));
        // Nothing is put under the fingers of who types an address of their own.
        const isTyping = document.activeElement === this.nameEl;
        if (!isTyping && !this.nameEl.value && answer.suggestions?.length) {
            this.nameEl.value = answer.suggestions[0];
            await this.onNameInput();
        }
    }

    onSuggestionClick(ev) {
        const name = ev.target.closest("[data-name]")?.dataset.name;
        if (name) {
            this.nameEl.value = name;
            this.nameEl.focus();
            this.onNameInput();
        }
    }

    show({ available, limited, message, suggestions }) {
        if (limited) {
            return;
        }
        const asked = Boolean(message);
        this.nameEl.classList.toggle("is-valid", asked && available);
        this.nameEl.classList.toggle("is-invalid", asked && !available);
        this.messageEl.textContent = message;
        this.messageEl.classList.toggle("text-danger", asked && !available);
        this.messageEl.classList.toggle("text-success", asked && Boolean(available));
        this.suggestionsEl.replaceChildren(
            ...suggestions.map((name) => {
                const button = document.createElement("button");
                button.type = "button";
                button.className = "btn btn-sm btn-light border rounded-pill";
                button.dataset.name = name;
                button.textContent = name;
                button.setAttribute("aria-label", _t("Use %s", name));
                return button;
            })
        );
    }
}

registry.category("public.interactions").add("saas_website.signup_form", SignupForm);
