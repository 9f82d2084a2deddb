import { createFileRoute } from "@tanstack/react-router";
import { NotFoundPage } from "@/app/NotFoundPage";

/** Any address at which there is nothing, within the frame that leads on. */
export const Route = createFileRoute("/_app/$")({ component: () => <NotFoundPage /> });
