import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

const EVERY = 3000; // milliseconds

/** Follows a tenant with which something is being done. */
export class PortalTenant extends Interaction {
    static selector = ".o_saas_tenant";

    start() {
        this.wait();
    }

    wait() {
        if (this.el.hasAttribute("data-busy")) {
            this.waitForTimeout(() => this.look(), EVERY);
        }
    }

    async look() {
        try {
            const response = await this.waitFor(fetch(window.location.href));
            const text = await this.waitFor(response.text());
            const page = new DOMParser().parseFromString(text, "text/html");
            this.update(page.querySelector(PortalTenant.selector));
        } catch {
            // A network that is away for a moment: the next look will tell.
        }
        this.wait();
    }

    update(found) {
        if (found && found.dataset.fingerprint !== this.el.dataset.fingerprint) {
            this.el.toggleAttribute("data-busy", found.hasAttribute("data-busy"));
            this.el.dataset.fingerprint = found.dataset.fingerprint;
            this.el.replaceChildren(...found.childNodes);
        }
    }
}

registry.category("public.interactions").add("saas_website.portal_tenant", PortalTenant);
