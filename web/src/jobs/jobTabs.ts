/** The parts of a job's page, as its address names them. */
export const JOB_TABS = ["overview", "evaluation", "log"] as const;
export type JobTab = (typeof JOB_TABS)[number];
