// The flags of `digitctl feedback`; part of client/ctl/flags.h.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/ctl/flags.h"

namespace digit {

// Adds the command to `app`. Parsing fills `flags` and `format`, which must live until then.
CLI::App* AddFeedbackCommand(CLI::App* app, Flags* flags, std::string* format);

// Which of its subcommands was parsed.
Command FeedbackCommandOf(const CLI::App& feedback);

// What is wrong with flags that cannot go together; empty: nothing.
std::string CheckFeedbackFlags(const Flags& flags);

}  // namespace digit
