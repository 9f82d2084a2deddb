/** The colour of a class label. */
export type ClassColor = (label: string) => string;

const WITHOUT_CLASS = "hsl(0 0% 62%)";
/** Degrees between the hues of neighbours: none comes near another one for long. */
const GOLDEN_ANGLE = 137.508;
const FIRST_HUE = 210;

/**
 * Colours for the labels of a project, told apart as well as so many can be. They depend on the labels alone,
 * not on their order or their number of instances, so that they stay while people work.
 */
export function classColors(labels: readonly string[]): ClassColor {
  const places = new Map([...labels].sort().map((label, place) => [label, place]));
  return (label) => {
    const place = places.get(label);
    if (label === "" || place === undefined) return WITHOUT_CLASS;
    return `hsl(${Math.round((FIRST_HUE + place * GOLDEN_ANGLE) % 360)} 80% 58%)`;
  };
}
