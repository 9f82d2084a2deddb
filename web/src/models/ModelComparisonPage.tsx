import { Anchor, SimpleGrid, Table, Text } from "@mantine/core";
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Page } from "@/components/Page";
import { ScrollTable } from "@/components/ScrollTable";
import { Section } from "@/components/Section";
import { METRIC_GROUPS, metricName, metricValue } from "@/jobs/metricNames";
import { comparedCurves, comparedMetrics } from "@/models/comparison";
import { comparisonQuery } from "@/models/modelQueries";
import { Plot } from "@/plot/Plot";
import classes from "./ModelComparisonPage.module.css";

/** Models side by side: metrics, what differs in how they were trained, and their curves. */
export function ModelComparisonPage({ modelIds }: { modelIds: string[] }) {
  const { data } = useSuspenseQuery(comparisonQuery(modelIds));
  const { models, settings, curves, sameDataset } = data;
  const best = models[0] && METRIC_GROUPS[models[0].taskType][0]?.metrics[0];
  const losses = comparedCurves(models, curves, ({ valLoss }) => valLoss);
  const metrics = comparedCurves(models, curves, (point) =>
    best === undefined ? undefined : point.metrics[best],
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
        aside={
          sameDataset ? null : (
            <Text size="xs" c="dimmed">
              Measured on different data sets: compare with care
            </Text>
          )
        }
      >
        <ScrollTable label="Metrics" minWidth={100 * (models.length + 1)}>
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
          <ScrollTable label="Settings that differ" minWidth={100 * (models.length + 1)}>
            {head}
            <Table.Tbody>
              {settings.map(({ name, values }) => (
                <Table.Tr key={name}>
                  <Table.Th className={classes.breakable}>{name}</Table.Th>
                  {values.map((value, place) => (
                    <Table.Td key={place} className={classes.breakable}>
                      {value ?? "–"}
                    </Table.Td>
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
              <Plot
                label={`${metricName(best)} by epoch`}
                x={metrics.x}
                series={metrics.series}
                range={[0, 1]}
              />
            </Section>
          )}
        </SimpleGrid>
      )}
    </Page>
  );
}
