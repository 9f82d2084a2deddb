import { IconCube, IconPhoto, IconPlayerPlay, IconServer2 } from "@tabler/icons-react";

/** The places of the app, in the order of the work. Whatever is `within` an address belongs to the place. */
export const PLACES = [
  { to: "/projects", within: "/projects", label: "Projects", icon: IconPhoto },
  { to: "/training/jobs", within: "/training", label: "Training", icon: IconPlayerPlay },
  { to: "/models", within: "/models", label: "Models", icon: IconCube },
  { to: "/workers", within: "/workers", label: "Workers", icon: IconServer2 },
] as const;
