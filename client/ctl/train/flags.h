// The flags of `digitctl train`; part of client/ctl/flags.h.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/ctl/flags.h"

namespace digit {

// Adds the command to `app`. Parsing fills `flags` and `format`, which must live until then.
CLI::App* AddTrainCommand(CLI::App* app, Flags* flags, std::string* format);

// Which of its subcommands was parsed.
Command TrainCommandOf(const CLI::App& train);

}  // namespace digit
