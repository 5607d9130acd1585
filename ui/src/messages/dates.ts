/** Points in time as people write them, in the language of the window. */

const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

/** The day of a time in milliseconds since 1970. */
export const day = (ms: number): string => DAY.format(ms);

/** Day, hour and minute of a time in milliseconds since 1970. */
export const moment = (ms: number): string => MOMENT.format(ms);
