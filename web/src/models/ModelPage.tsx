import { Anchor, Code, SimpleGrid, Stack, Text } from "@mantine/core";
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { bytes } from "@/components/bytes";
import { CopyableId } from "@/components/CopyableId";
import { Facts } from "@/components/Facts";
import { Page } from "@/components/Page";
import { RelativeTime } from "@/components/RelativeTime";
import { Section } from "@/components/Section";
import { TASK_LABELS } from "@/jobs/taskTypes";
import { MetricTiles } from "@/jobs/monitor/MetricTiles";
import { ActiveBadge } from "@/models/ActiveBadge";
import { ArtifactTable } from "@/models/ArtifactTable";
import { ModelActions } from "@/models/ModelActions";
import { modelQuery } from "@/models/modelQueries";
import { ModelCurves } from "@/models/ModelCurves";
import type { Model } from "@/models/modelService";

/** One model: how good it is, what it came from, its files, and what can be done with it. */
export function ModelPage({ modelId }: { modelId: string }) {
  const { data: model } = useSuspenseQuery(modelQuery(modelId));
  return (
    <Page
      title={model.name}
      badge={model.isActive && <ActiveBadge />}
      subtitle={model.description}
      back={
        <Anchor size="sm" renderRoot={(props) => <Link to="/models" {...props} />}>
          Models
        </Anchor>
      }
      actions={<ModelActions model={model} />}
    >
      <Stack gap="lg">
        <MetricTiles taskType={model.taskType} metrics={model.metrics} />
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <ModelFacts model={model} />
          <Lineage model={model} />
        </SimpleGrid>
        <ModelCurves model={model} />
        <Section title="Files">
          <ArtifactTable modelId={model.id} />
        </Section>
      </Stack>
    </Page>
  );
}

function ModelFacts({ model }: { model: Model }) {
  return (
    <Section title="Model">
      <Facts
        facts={[
          ["Task", TASK_LABELS[model.taskType]],
          ["Architecture", <Code key="architecture">{model.architecture}</Code>],
          ["Classes", model.classes.join(", ")],
          ["Image size", `${model.imageSize} px`],
          ["Weights", bytes(model.weightsBytes)],
          ["Digest", <CopyableId key="digest" id={model.weightsDigest} label="the weights' digest" />],
          ["Id", <CopyableId key="id" id={model.id} label="the model's id" />],
        ]}
      />
    </Section>
  );
}

function Lineage({ model }: { model: Model }) {
  const { config } = model;
  return (
    <Section title="Where it comes from">
      <Facts
        facts={[
          [
            "Training",
            <Anchor
              key="job"
              size="sm"
              renderRoot={(props) => (
                <Link to="/training/jobs/$jobId" params={{ jobId: model.jobId }} {...props} />
              )}
            >
              {model.jobId.slice(-8)}
            </Anchor>,
          ],
          ["Epochs", `${model.epochsTrained}, the best was ${model.bestEpoch}`],
          ["Batch size", config?.batch_size ?? "–"],
          ["Optimizer", config?.optimizer ?? "auto"],
          ["Learning rate", config?.learning_rate ?? "Chosen by the optimizer"],
          ["Data set", <CopyableId key="dataset" id={model.datasetId} label="the data set's id" />],
          ["Created", <RelativeTime key="created" time={model.createTime} />],
          [
            "Active since",
            model.isActive ? (
              <RelativeTime key="active" time={model.activateTime} />
            ) : (
              <Text key="not">–</Text>
            ),
          ],
        ]}
      />
    </Section>
  );
}
