import { Anchor, SimpleGrid, Table, Text } from "@mantine/core";
import { useQueries, useSuspenseQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Page } from "@/components/Page";
import { ScrollTable } from "@/components/ScrollTable";
import { Section } from "@/components/Section";
import { jobEpochsQuery } from "@/jobs/jobQueries";
import { METRIC_GROUPS, metricName, metricValue } from "@/jobs/metricNames";
import { comparedCurves, comparedMetrics, differingSettings } from "@/models/comparison";
import { modelQuery } from "@/models/modelQueries";
import { Plot } from "@/plot/Plot";

/** Models side by side: metrics, what differs in how they were trained, and their curves. */
export function ModelComparisonPage({ modelIds }: { modelIds: string[] }) {
  const models = useSuspenseQueries({ queries: modelIds.map(modelQuery) }).map(({ data }) => data);
  const trainings = useQueries({
    queries: models.map(({ jobId }) => jobEpochsQuery(jobId)),
    combine: (results) => results.map(({ data }) => data ?? []),
  });
  const settings = differingSettings(models);
  const best = models[0] && METRIC_GROUPS[models[0].taskType][0]?.metrics[0];
  const losses = comparedCurves(models, trainings, ({ valLoss }) => valLoss);
  const metrics = comparedCurves(models, trainings, (epoch) =>
    best === undefined ? undefined : epoch.metrics[best],
  );
  const head = (
    <Table.Thead>
      <Table.Tr>
        <Table.Td />
        {models.map(({ id, name }) => (
          <Table.Th key={id}>
            <Anchor
              size="sm"
              renderRoot={(props) => <Link to="/models/$modelId" params={{ modelId: id }} {...props} />}
            >
              {name}
            </Anchor>
          </Table.Th>
        ))}
      </Table.Tr>
    </Table.Thead>
  );
  return (
    <Page
      title="Models side by side"
      back={
        <Anchor size="sm" renderRoot={(props) => <Link to="/models" {...props} />}>
          Models
        </Anchor>
      }
    >
      <Section
        title="Metrics"
        aside={<MeasuredNote digests={models.map(({ datasetDigest }) => datasetDigest)} />}
      >
        <ScrollTable label="Metrics" minWidth={140 * (models.length + 1)}>
          {head}
          <Table.Tbody>
            {comparedMetrics(models).map(({ name, values, best: places }) => (
              <Table.Tr key={name}>
                <Table.Th>{metricName(name)}</Table.Th>
                {values.map((value, place) => (
                  <Table.Td key={place} fw={places.includes(place) ? 700 : 400}>
                    {metricValue(value)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </ScrollTable>
      </Section>
      <Section title="What differs">
        {settings.length === 0 ? (
          <Text size="sm">They were trained alike.</Text>
        ) : (
          <ScrollTable label="Settings that differ" minWidth={140 * (models.length + 1)}>
            {head}
            <Table.Tbody>
              {settings.map(({ name, values }) => (
                <Table.Tr key={name}>
                  <Table.Th>{name}</Table.Th>
                  {values.map((value, place) => (
                    <Table.Td key={place}>{value ?? "–"}</Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </ScrollTable>
        )}
      </Section>
      {losses.x.length > 0 && (
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <Section title="Validation loss">
            <Plot label="Validation loss by epoch" x={losses.x} series={losses.series} />
          </Section>
          {best !== undefined && (
            <Section title={metricName(best)}>
              <Plot label={`${metricName(best)} by epoch`} x={metrics.x} series={metrics.series} />
            </Section>
          )}
        </SimpleGrid>
      )}
    </Page>
  );
}

function MeasuredNote({ digests }: { digests: string[] }) {
  if (new Set(digests).size === 1) return null;
  return (
    <Text size="xs" c="dimmed">
      Measured on different data sets: compare with care
    </Text>
  );
}
