import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { NO_HISTORY } from "@/jobs/jobHistory";
import { jobEpochsQuery } from "@/jobs/jobQueries";
import { Curves } from "@/jobs/monitor/Curves";
import type { Model } from "@/models/modelService";

/** The losses and metrics of a model's training, for as long as its job is there. */
export function ModelCurves({ model }: { model: Model }) {
  const { data: epochs } = useQuery(jobEpochsQuery(model.jobId));
  const history = useMemo(() => ({ ...NO_HISTORY, epochs: epochs ?? [] }), [epochs]);
  return <Curves taskType={model.taskType} history={history} />;
}
