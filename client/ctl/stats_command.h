// `digitctl model stats`: how the versions of a model do.
#pragma once

#include <string>

#include "client/ctl/flags.h"
#include "client/lib/client.h"

namespace digit {

ExitCode RunStats(const Flags& flags, Client* client);

// For people; pure.
std::string FormatStats(const v1::GetModelStatsResponse& stats);

}  // namespace digit
