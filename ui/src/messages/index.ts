/** The sentences of the language in use. English is the only one for now. */
import { en, type Messages } from "./en";

export const m: Messages = en;
