// `digitctl train`: starts, follows, cancels and lists trainings.
#pragma once

#include "client/ctl/commands.h"
#include "client/ctl/flags.h"
#include "client/ctl/terminal.h"
#include "client/lib/client.h"

namespace digit {

ExitCode RunTrain(const Flags& flags, const Terminal& terminal, Client* client);
ExitCode RunTrainWatch(const Flags& flags, const Terminal& terminal, Client* client);
ExitCode RunTrainCancel(const Flags& flags, Client* client);
ExitCode RunTrainList(const Flags& flags, Client* client);

// Pure. "epoch 2/5 [#####.....]  50 %  loss 0.3210  14000 images/s  3 s left".
std::string FormatTrainingLine(const v1::Training& training);
// A line for each pass with its accuracy and a bar, on a scale that shows how they differ; empty without any.
std::string FormatAccuracyChart(const v1::Training& training);

}  // namespace digit
