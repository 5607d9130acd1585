/** One thing that a form or dialog tries: whether it is under way, and the sentence if it failed. */
import { sentenceOf } from "../backend/backend";

export class Attempt {
  busy = $state(false);
  problem = $state("");

  /** Whether `work` succeeded. While one attempt runs, another is not begun. */
  async run(work: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = "";
    try {
      await work();
      return true;
    } catch (error) {
      this.problem = sentenceOf(error);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
