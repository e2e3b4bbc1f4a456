// `digitctl recognize`.
#pragma once

#include "client/ctl/flags.h"
#include "client/ctl/terminal.h"
#include "client/lib/client.h"

namespace digit {

// Recognises flags.files and prints what came of each, in order: one picture by one call, several through one stream.
// Holds the list of names and at most the stream's window of pictures, however many there are. Blocks until done.
ExitCode RunRecognize(const Flags& flags, const Terminal& terminal, Client* client);

}  // namespace digit
