// `digitctl feedback`: corrections of what a server answered.
#pragma once

#include "client/ctl/flags.h"
#include "client/ctl/terminal.h"
#include "client/lib/client.h"

namespace digit {

ExitCode RunFeedbackAdd(const Flags& flags, Client* client);
ExitCode RunFeedbackList(const Flags& flags, const Terminal& terminal, Client* client);
ExitCode RunFeedbackExport(const Flags& flags, Client* client);
ExitCode RunFeedbackReview(const Flags& flags, Client* client);

}  // namespace digit
