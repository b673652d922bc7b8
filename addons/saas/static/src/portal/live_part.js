import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

const EVERY = 3000; // milliseconds

/**
 * A part of a page that follows what is being done.
 *
 * It has an id, `data-busy` while there is something to follow, and a `data-fingerprint`
 * of what it shows: the part is replaced when that changes, and nothing else is, so that
 * nobody's typing is lost.
 */
export class LivePart extends Interaction {
    static selector = ".o_saas_live";

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
            this.update(page.getElementById(this.el.id));
        } catch {
            // A network that is away for a moment: the next look will tell.
        }
        this.wait();
    }

    update(found) {
        if (!found) {
            return;
        }
        this.el.toggleAttribute("data-busy", found.hasAttribute("data-busy"));
        if (found.dataset.fingerprint !== this.el.dataset.fingerprint) {
            this.el.dataset.fingerprint = found.dataset.fingerprint;
            this.el.replaceChildren(...found.childNodes);
        }
    }
}

registry.category("public.interactions").add("saas.live_part", LivePart);
