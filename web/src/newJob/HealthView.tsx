import { Alert, Group, Stack, Table, Text } from "@mantine/core";
import { count } from "@/components/count";
import { grouped } from "@/components/grouped";
import { ScrollTable } from "@/components/ScrollTable";
import { SeverityBadge } from "@/components/SeverityBadge";
import { thumbnailAddress } from "@/images/imageService";
import type { HealthReport } from "@/newJob/newJobService";
import classes from "./HealthView.module.css";

const THUMBNAIL = 96;
/** What was found in a data set: the split, the classes, and findings with examples, the worst first. */
export function HealthView({ report }: { report: HealthReport }) {
  return (
    <Stack gap="md">
      {!report.trainable && (
        <Alert color="red" title="This cannot be trained yet" role="alert">
          Mend what is marked as an error below.
        </Alert>
      )}
      <Text>
        {count(report.total_images, "image")}: {grouped(report.train_images)} for training,{" "}
        {grouped(report.val_images)} for validation
        {report.test_images > 0 && `, ${grouped(report.test_images)} for a test`}
        {report.background_images > 0 && `, ${grouped(report.background_images)} of them backgrounds`}.
      </Text>
      {report.classes.length > 0 && (
        <ScrollTable label="Classes on both sides of the split" minWidth={280} maxHeight={320} stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Class</Table.Th>
              <Table.Th ta="right">Training images</Table.Th>
              <Table.Th ta="right" visibleFrom="sm">
                instances
              </Table.Th>
              <Table.Th ta="right">Validation images</Table.Th>
              <Table.Th ta="right" visibleFrom="sm">
                instances
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {report.classes.map((entry) => (
              <Table.Tr key={entry.class_label}>
                <Table.Td>{entry.class_label}</Table.Td>
                <SideCells images={entry.train_images} instances={entry.train_instances} />
                <SideCells images={entry.val_images} instances={entry.val_instances} />
              </Table.Tr>
            ))}
          </Table.Tbody>
        </ScrollTable>
      )}
      {report.findings.length === 0 && <Alert color="teal">Nothing was found wrong.</Alert>}
      {report.findings.map((finding) => (
        <Stack key={`${finding.reason} ${finding.class_label}`} gap={4} className={classes.finding}>
          <Group gap="xs">
            <SeverityBadge severity={finding.severity} />
            <Text size="sm" fw={500}>
              {finding.message}
            </Text>
          </Group>
          <Text size="sm" c="dimmed">
            {finding.hint}
          </Text>
          {finding.example_image_ids.length > 0 && (
            <Group gap={6}>
              {finding.example_image_ids.map((imageId) => (
                <img
                  key={imageId}
                  src={thumbnailAddress(imageId, THUMBNAIL)}
                  alt="An image that shows it"
                  className={classes.example}
                  loading="lazy"
                />
              ))}
            </Group>
          )}
        </Stack>
      ))}
    </Stack>
  );
}

/** What one side of the split has of a class. */
function SideCells({ images, instances }: { images: number; instances: number }) {
  return (
    <>
      <Table.Td ta="right">
        {grouped(images)}
        <Text size="xs" c="dimmed" hiddenFrom="sm">
          {count(instances, "instance")}
        </Text>
      </Table.Td>
      <Table.Td ta="right" visibleFrom="sm">
        {grouped(instances)}
      </Table.Td>
    </>
  );
}
