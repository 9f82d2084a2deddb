import {
  Anchor,
  Button,
  Card,
  Center,
  Code,
  Divider,
  PasswordInput,
  Stack,
  Text,
  Title,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { providerAddress } from "@/session/providerAddress";
import { providerQuery } from "@/session/providerQuery";
import { sessionQuery } from "@/session/sessionQuery";
import { signIn } from "@/session/sessionService";

interface SignInPageProps {
  /** What was wrong with the token of the address. */
  problem: string | undefined;
  onSignedIn: () => void;
}

const route = getRouteApi("/sign-in");

/** Asks for a token, or leads to the provider's page where one is set up. */
export function SignInPage({ problem, onSignedIn }: SignInPageProps) {
  const [token, setToken] = useState("");
  const queryClient = useQueryClient();
  const { next } = route.useSearch();
  const { data: provider } = useQuery(providerQuery);
  const entering = useMutation({
    mutationFn: signIn,
    meta: { quiet: true },
    onSuccess: (session) => {
      queryClient.setQueryData(sessionQuery.queryKey, session);
      onSignedIn();
    },
  });
  return (
    <Center mih="100vh" p="md" component="main">
      <Card withBorder padding="xl" w={440} maw="100%" shadow="sm">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            entering.mutate(token.trim());
          }}
        >
          <Stack>
            <img src="/favicon.svg" width={40} height={40} alt="" />
            <Title order={1} size="h2">
              Sign in
            </Title>
            {provider && (
              <>
                <Button component="a" href={providerAddress(provider, next)} fullWidth>
                  Sign in with {provider.name}
                </Button>
                <Divider label="or with a token" />
              </>
            )}
            <Text c="dimmed" size="sm">
              Open the address that <Code>annotateforge up</Code> has printed, or paste a token.{" "}
              <Code>annotateforge token create --role editor</Code> makes one.
            </Text>
            <PasswordInput
              label="Token"
              value={token}
              onChange={(event) => {
                setToken(event.currentTarget.value);
              }}
              error={entering.error?.message ?? problem}
              autoComplete="off"
              data-autofocus
              required
            />
            <Button
              type="submit"
              variant={provider ? "default" : "filled"}
              loading={entering.isPending}
              disabled={token.trim() === ""}
            >
              Sign in
            </Button>
            <Anchor href="/docs" size="sm">
              API reference
            </Anchor>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
