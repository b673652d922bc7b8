import { browser } from "@web/core/browser/browser";
import { ConnectionLostError } from "@web/core/network/rpc";

const PAUSE = 1000; // ms

/**
 * Asks until there is an answer: a page whose first question is lost on the way would
 * stay empty.
 */
export async function patiently(ask) {
    for (;;) {
        try {
            return await ask();
        } catch (error) {
            if (!(error instanceof ConnectionLostError)) {
                throw error;
            }
            await new Promise((resolve) => browser.setTimeout(resolve, PAUSE));
        }
    }
}
