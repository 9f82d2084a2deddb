import { ScrollArea, Stack, Table, Text, Title, UnstyledButton } from "@mantine/core";
import { count } from "@/components/count";
import { AnnotationEditor } from "@/images/AnnotationEditor";
import type { ClassColor } from "@/images/classColor";
import type { Annotation } from "@/images/imageService";
import { extent, SHAPE_LABELS } from "@/images/shape";
import { useMay } from "@/session/roles";
import classes from "./AnnotationList.module.css";

interface AnnotationListProps {
  imageId: string;
  annotations: Annotation[];
  /** Class labels of the project, as suggestions. */
  labels: string[];
  colorOf: ClassColor;
  chosen: string | undefined;
  onChoose: (annotationId: string | undefined) => void;
}

/** The annotations of an image; the one that is chosen is pointed out in the picture, and can be changed. */
export function AnnotationList(props: AnnotationListProps) {
  const { imageId, annotations, labels, colorOf, chosen, onChoose } = props;
  const mayChange = useMay("editor");
  const shown = annotations.find(({ id }) => id === chosen);
  return (
    <Stack gap="xs">
      <Title order={2} size="h4">
        {count(annotations.length, "annotation")}
      </Title>
      {shown && mayChange && (
        <AnnotationEditor
          key={shown.id}
          imageId={imageId}
          edited={shown}
          labels={labels}
          onDone={() => {
            onChoose(undefined);
          }}
        />
      )}
      {annotations.length > 0 && (
        <ScrollArea.Autosize mah={420} type="auto" offsetScrollbars="present" viewportProps={{ tabIndex: 0 }}>
          <Table verticalSpacing={6} highlightOnHover>
            <Table.Tbody>
              {annotations.map((annotation) => (
                <AnnotationRow
                  key={annotation.id}
                  annotation={annotation}
                  color={colorOf(annotation.classLabel)}
                  chosen={annotation.id === chosen}
                  onChoose={onChoose}
                />
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea.Autosize>
      )}
    </Stack>
  );
}

interface AnnotationRowProps {
  annotation: Annotation;
  color: string;
  chosen: boolean;
  onChoose: (annotationId: string | undefined) => void;
}

function AnnotationRow({ annotation, color, chosen, onChoose }: AnnotationRowProps) {
  const { width, height } = extent(annotation.shape);
  return (
    <Table.Tr
      className={classes.row}
      {...(chosen && { bg: "var(--mantine-primary-color-light)" })}
      onClick={() => {
        onChoose(chosen ? undefined : annotation.id);
      }}
    >
      <Table.Td w={20}>
        <div className={classes.swatch} style={{ background: color }} />
      </Table.Td>
      <Table.Td className={classes.label}>
        <UnstyledButton fz="sm" aria-pressed={chosen}>
          {annotation.classLabel || "No class"}
        </UnstyledButton>
        <Text size="xs" c="dimmed">
          {[annotation.source, confidenceOf(annotation)].filter(Boolean).join(" · ")}
        </Text>
      </Table.Td>
      <Table.Td>
        <Text size="xs" c="dimmed" ta="right">
          {SHAPE_LABELS[annotation.shape.type]}
          <br />
          {Math.round(width)} × {Math.round(height)}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}

function confidenceOf({ confidence }: Annotation): string {
  return confidence === undefined ? "" : `${Math.round(confidence * 100)} % sure`;
}
