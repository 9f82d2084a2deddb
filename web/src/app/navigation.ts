import { IconCube, IconPhoto, IconPlayerPlay, IconServer2 } from "@tabler/icons-react";

/** The places of the app, in the order of the work. */
export const PLACES = [
  { to: "/projects", label: "Projects", icon: IconPhoto },
  { to: "/training/jobs", label: "Training", icon: IconPlayerPlay },
  { to: "/models", label: "Models", icon: IconCube },
  { to: "/workers", label: "Workers", icon: IconServer2 },
] as const;
