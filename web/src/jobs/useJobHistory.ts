import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { serverPresence } from "@/api/serverPresence";
import { isLastEvent, type JobEvent, listEvents, openEvents, parseEvent } from "@/jobs/jobEvents";
import { extended, type JobHistory, NO_HISTORY } from "@/jobs/jobHistory";
import { JOBS, jobQuery } from "@/jobs/jobQueries";
import { type FeedState, JobFeed } from "@/live/jobFeed";

/** What has happened to a job until now, and whether it is being watched. */
export interface WatchedHistory {
  history: JobHistory;
  state: FeedState;
  /** Grows with each message of the log. */
  logged: number;
}

/** Follows a job while the component is there. What else the cache holds of the job is renewed as things happen. */
export function useJobHistory(jobId: string): WatchedHistory {
  const queryClient = useQueryClient();
  const [history, setHistory] = useState(NO_HISTORY);
  const [state, setState] = useState<FeedState>("connecting");
  const [logged, setLogged] = useState(0);

  useEffect(() => {
    // A feed begins at the beginning, whatever one before it has told.
    let begun = false;
    const feed = new JobFeed<JobEvent>(
      {
        open: (after) => openEvents(jobId, after),
        fetch: (after) => listEvents(jobId, after),
        parse: parseEvent,
        isLast: isLastEvent,
      },
      {
        onState: setState,
        onMessages: (events) => {
          const base = begun ? undefined : NO_HISTORY;
          begun = true;
          setHistory((before) => extended(base ?? before, events));
          if (events.some(({ kind }) => kind === "log")) setLogged((count) => count + 1);
          if (events.some(({ kind }) => kind !== "progress" && kind !== "log")) {
            void queryClient.invalidateQueries({ queryKey: jobQuery(jobId).queryKey, exact: true });
          }
          if (events.some(({ kind }) => kind === "status")) {
            void queryClient.invalidateQueries({ queryKey: [...JOBS, "list"] });
          }
        },
      },
    );
    feed.start();
    const unsubscribe = serverPresence.subscribe(() => {
      if (!serverPresence.isAway()) feed.hurry();
    });
    return () => {
      unsubscribe();
      feed.stop();
    };
  }, [jobId, queryClient]);

  return { history, state, logged };
}
