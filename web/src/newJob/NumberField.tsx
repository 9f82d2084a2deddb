import { NumberInput, type NumberInputProps } from "@mantine/core";
import { useState } from "react";

interface NumberFieldProps extends Omit<NumberInputProps, "value" | "onChange"> {
  value: number | undefined;
  /** Undefined while the field is empty or holds no number. */
  onChange: (value: number | undefined) => void;
}

/** A number that may be empty. What is being typed, such as "0.", stays as it is. */
export function NumberField({ value, onChange, ...rest }: NumberFieldProps) {
  const [typed, setTyped] = useState<number | string>("");
  return (
    <NumberInput
      clampBehavior="none"
      {...rest}
      value={numberIn(typed) === value ? typed : (value ?? "")}
      onChange={(entered) => {
        setTyped(entered);
        onChange(numberIn(entered));
      }}
    />
  );
}

function numberIn(typed: number | string): number | undefined {
  const number = typeof typed === "number" ? typed : typed.trim() === "" ? NaN : Number(typed);
  return Number.isNaN(number) ? undefined : number;
}
