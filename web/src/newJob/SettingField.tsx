import { Select, Switch } from "@mantine/core";
import type { ReactNode } from "react";
import type { SettingValue } from "@/newJob/draft";
import { NumberField } from "@/newJob/NumberField";
import { rangeOf, rangeText } from "@/newJob/ranges";
import { shutOut } from "@/newJob/settingRules";
import type { StepProps } from "@/newJob/stepProps";
import { type Setting, valueText } from "@/newJob/trainingSettings";
import classes from "./SettingField.module.css";

interface SettingFieldProps extends StepProps {
  setting: Setting;
}

/** One setting, with its explanation, range and default. */
export function SettingField({ setting, kept, problems }: SettingFieldProps) {
  const { draft, changeSetting } = kept;
  const { name, title } = setting;
  const value = draft.settings[name];
  const reason = shutOut(name, draft);
  const change = (chosen: SettingValue | null | undefined) => {
    changeSetting(name, chosen ?? undefined);
  };
  const shared = {
    label: title,
    description: <Explanation setting={setting} reason={reason} />,
    disabled: reason !== undefined,
  };
  switch (setting.kind) {
    case "boolean":
      return (
        <Switch
          {...shared}
          checked={
            (reason === undefined ? value : undefined) === undefined
              ? setting.default === true
              : value === true
          }
          onChange={(event) => {
            change(event.currentTarget.checked);
          }}
        />
      );
    case "choice":
      return (
        <Select
          {...shared}
          data={(setting.choices ?? []).map((choice) => ({
            value: choice.value,
            label: `${choice.value}: ${choice.meaning.replace(/\.$/, "")}`,
          }))}
          value={String(value ?? setting.default)}
          onChange={change}
          allowDeselect={false}
        />
      );
    default:
      return (
        <NumberField
          {...shared}
          value={typeof value === "number" && reason === undefined ? value : undefined}
          onChange={change}
          placeholder={setting.default === undefined ? "Automatic" : String(setting.default)}
          error={problems[`settings.${name}`]}
          min={rangeOf(setting).least}
          max={rangeOf(setting).most}
          step={stepOf(setting)}
          allowDecimal={setting.kind === "number"}
        />
      );
  }
}

function Explanation({ setting, reason }: { setting: Setting; reason: string | undefined }): ReactNode {
  const facts = [
    // The explanations of the configuration's own fields tell their range.
    ...(setting.place === "config" || setting.kind === "boolean" || setting.kind === "choice"
      ? []
      : [rangeText(rangeOf(setting))]),
    ...(setting.default === undefined ? [] : [`default ${valueText(setting.default)}`]),
  ];
  return (
    <>
      {setting.description} {reason !== undefined && <strong>{reason}</strong>}
      <span className={classes.facts}>
        <code>{setting.name}</code>
        {facts.map((fact) => ` · ${fact}`)}
      </span>
    </>
  );
}

function stepOf(setting: Setting): number {
  if (setting.kind === "integer") return 1;
  const usual = Number(setting.default);
  if (usual > 0 && usual < 0.1) return usual;
  return rangeOf(setting).most <= 1 ? 0.05 : 0.5;
}
