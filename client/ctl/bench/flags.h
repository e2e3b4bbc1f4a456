// The flags of `digitctl bench`; part of client/ctl/flags.h.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/ctl/bench/options.h"
#include "client/ctl/flags.h"

namespace digit {

extern const char kBenchAbout[];  // examples first

// Adds the command to `app`. Parsing fills `texts`, `flags` and `format`, which must live until then; what it leaves as
// text, FinishBenchOptions (options.h) reads.
CLI::App* AddBenchCommand(CLI::App* app, BenchTexts* texts, Flags* flags, std::string* format);

}  // namespace digit
