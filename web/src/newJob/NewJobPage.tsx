import { Alert, Button, Group, Stack, Stepper } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { ApiError } from "@/api/apiError";
import { Page } from "@/components/Page";
import { JOBS } from "@/jobs/jobQueries";
import { ClassesStep } from "@/newJob/ClassesStep";
import { ConfigurationStep } from "@/newJob/ConfigurationStep";
import { jobRequest } from "@/newJob/jobRequest";
import { createJob } from "@/newJob/newJobService";
import { ProjectsStep } from "@/newJob/ProjectsStep";
import { ReviewStep } from "@/newJob/ReviewStep";
import { firstOpenStep, problemsOf } from "@/newJob/stepProblems";
import { type Step, STEP_LABELS, STEPS } from "@/newJob/steps";
import { TaskStep } from "@/newJob/TaskStep";
import { useDraft } from "@/newJob/useDraft";
import classes from "./NewJobPage.module.css";

interface NewJobPageProps {
  step: Step;
  onStep: (step: Step) => void;
}

/** Five steps to a training. What was entered survives a reload, and each step has its address. */
export function NewJobPage({ step: wanted, onStep }: NewJobPageProps) {
  const kept = useDraft();
  const { draft } = kept;
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [tried, setTried] = useState<Step | undefined>();
  const furthest = STEPS.indexOf(firstOpenStep(draft));
  const place = Math.min(STEPS.indexOf(wanted), furthest);
  const step = STEPS[place] ?? "task";
  const problems = problemsOf(step, draft);
  const stepProps = { kept, problems: tried === step || step === "configuration" ? problems : {} };
  const content = useRef<HTMLDivElement>(null);
  const shown = useRef(step);
  useEffect(() => {
    if (shown.current === step) return;
    shown.current = step;
    // Who goes on by the keyboard goes on reading here.
    content.current?.focus();
  }, [step]);
  const creating = useMutation({
    mutationFn: () => createJob(jobRequest(draft)),
    meta: { quiet: true },
    onSuccess: async (jobId) => {
      kept.clear();
      await queryClient.invalidateQueries({ queryKey: JOBS });
      await navigate({ to: "/training/jobs/$jobId", params: { jobId } });
    },
  });
  const go = (to: number) => {
    const next = STEPS[to];
    if (next === undefined) return;
    if (to > place && Object.keys(problems).length > 0) {
      setTried(step);
      return;
    }
    onStep(next);
  };
  return (
    <Page
      title="New training"
      actions={
        <Button
          variant="subtle"
          onClick={() => {
            kept.clear();
            onStep("task");
          }}
        >
          Begin anew
        </Button>
      }
    >
      <Stepper
        maw={860}
        active={place}
        onStepClick={go}
        size="sm"
        allowNextStepsSelect
        wrap={false}
        classNames={{
          step: classes.step ?? "",
          stepBody: classes.stepBody ?? "",
          separator: classes.separator ?? "",
        }}
      >
        {STEPS.map((name) => (
          <Stepper.Step key={name} label={STEP_LABELS[name]} />
        ))}
      </Stepper>
      <Stack
        maw={860}
        gap="lg"
        component="section"
        ref={content}
        tabIndex={-1}
        aria-label={STEP_LABELS[step]}
        className={classes.content}
      >
        {step === "task" && <TaskStep {...stepProps} />}
        {step === "projects" && <ProjectsStep {...stepProps} />}
        {step === "classes" && <ClassesStep {...stepProps} />}
        {step === "configuration" && <ConfigurationStep {...stepProps} />}
        {step === "review" && (
          <ReviewStep
            draft={draft}
            onDrop={() => {
              kept.change({ baseModelId: "" });
            }}
            onStep={onStep}
          />
        )}
        {creating.isError && (
          <Alert color="red" role="alert" title="The job was not made">
            {creating.error.message}
            {creating.error instanceof ApiError && (
              <ul>
                {Object.entries(creating.error.fields).map(([field, problem]) => (
                  <li key={field}>
                    {field}: {problem}
                  </li>
                ))}
              </ul>
            )}
          </Alert>
        )}
        <Group justify="space-between">
          <Button
            variant="default"
            disabled={place === 0}
            onClick={() => {
              go(place - 1);
            }}
          >
            Back
          </Button>
          {step === "review" ? (
            // Another button than Next, so that pressing that twice starts nothing.
            <Button
              key="start"
              loading={creating.isPending}
              onClick={() => {
                creating.mutate();
              }}
            >
              Start training
            </Button>
          ) : (
            <Button
              key="next"
              onClick={() => {
                go(place + 1);
              }}
            >
              Next
            </Button>
          )}
        </Group>
      </Stack>
    </Page>
  );
}
