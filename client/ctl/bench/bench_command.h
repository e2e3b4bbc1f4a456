// `digitctl bench`.
#pragma once

#include "client/ctl/flags.h"
#include "client/ctl/terminal.h"
#include "client/lib/client.h"

namespace digit {

// Loads the server as flags.bench says and prints what came of it. Blocks until done or interrupted: it takes SIGINT
// and SIGTERM, prints what was measured so far, and leaves a second one to end the process at once.
ExitCode RunBench(const Flags& flags, const Terminal& terminal, Client* client);

}  // namespace digit
