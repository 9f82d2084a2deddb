import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { flushSync } from "react-dom";
import { forgetEverything } from "@/session/providerQuery";
import { signOut } from "@/session/sessionService";

interface SigningOut {
  /** From the first moment on, nothing must be shown that asks the server for something: it would be refused. */
  leaving: boolean;
  leave: () => void;
}

/** The way out. When the server does not answer, one stays signed in, and hears of it. */
export function useSignOut(): SigningOut {
  const [leaving, setLeaving] = useState(false);
  const queryClient = useQueryClient();
  const router = useRouter();
  const { mutate } = useMutation({
    mutationFn: async () => {
      abandonPictures();
      flushSync(() => {
        setLeaving(true);
      });
      await queryClient.cancelQueries();
      await signOut();
    },
    onSuccess: async () => {
      await router.navigate({ to: "/sign-in" });
      forgetEverything(queryClient);
    },
    onError: () => {
      setLeaving(false);
    },
  });
  return {
    leaving,
    leave: () => {
      mutate();
    },
  };
}

/** A picture that has left the page would still be loaded, when its turn comes. */
function abandonPictures(): void {
  for (const picture of document.images) picture.removeAttribute("src");
}
