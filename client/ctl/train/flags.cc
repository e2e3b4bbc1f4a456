#include "client/ctl/train/flags.h"

namespace digit {
namespace {

constexpr char kExamples[] = R"(Examples:
  digitctl train --data-set mnist                       the default model anew, from a set in the server's --data-dir
  digitctl train --fine-tune --corrections              learn from accepted corrections, beginning with what is live
  digitctl train --fine-tune --corrections --data-set mnist       the same, among what it learned from before
  digitctl train mnist --data-set mnist --epochs 20 --promote never --detach
  digitctl train list
  digitctl train watch 20261125-093012-1
  digitctl train cancel 20261125-093012-1

The server trains in a process of its own, at the lowest priority. What comes out is a new version: it goes live when it
passes the gate (if-better), never (it becomes the candidate), or always. Ctrl-C cancels the training, unless it was
started with --detach; then it goes on, and `watch` shows it.
Exit codes: 0 done, and live if that was asked for; 1 the training failed, was cancelled, or its result is not better;
2 wrong usage, 3 the server cannot be reached, 4 it refused: the reason is on standard error; 130 Ctrl-C.)";

void AddFormat(CLI::App* command, std::string* format) {
  command->add_option("-o,--output", *format, "How to print: text or json (one object a line)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

CLI::App* AddSubcommand(CLI::App* train, const std::string& name, const std::string& about, bool needs_id,
                        Flags* flags) {
  CLI::App* command = train->add_subcommand(name, about);
  command->footer(kExamples);
  if (needs_id) command->add_option("ID", flags->train.id, "Which, as `list` shows it")->required()->type_name("");
  return command;
}

}  // namespace

CLI::App* AddTrainCommand(CLI::App* app, Flags* flags, std::string* format) {
  TrainFlags& options = flags->train;
  CLI::App* train = app->add_subcommand("train", "Let the server train a new version of a model");
  train->footer(kExamples);
  train->require_subcommand(0, 1);
  train->add_option("NAME", flags->model, "Name of the model; default: the server's")->type_name("");
  train->add_option("--data-set", options.data_set, "Set of labelled pictures, by its name in the server's --data-dir")
      ->type_name("NAME");
  train->add_flag("--corrections", options.corrections, "Train on the model's accepted corrections");
  train->add_flag("--fine-tune", options.fine_tune, "Begin with the weights of the live version");
  train->add_option("--epochs", options.epochs, "Passes over the pictures; default: the trainer's")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  train->add_option("--seed", options.seed, "Of every random draw")->type_name("N")->capture_default_str();
  train->add_option("--promote", options.promote, "What becomes of the result: never, if-better or always")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"never", "if-better", "always"}))
      ->capture_default_str();
  train->add_flag("--detach", options.detach, "Print its id and leave; it goes on");
  AddFormat(train, format);
  AddFormat(AddSubcommand(train, "watch", "Follow a training until it has ended", true, flags), format);
  AddSubcommand(train, "cancel", "End a training", true, flags);
  AddFormat(AddSubcommand(train, "list", "List trainings, the newest first", false, flags), format);
  return train;
}

Command TrainCommandOf(const CLI::App& train) {
  if (train.get_subcommands().empty()) return Command::kTrain;
  const std::string name = train.get_subcommands().at(0)->get_name();
  return name == "watch" ? Command::kTrainWatch : name == "cancel" ? Command::kTrainCancel : Command::kTrainList;
}

}  // namespace digit
