#include "client/ctl/feedback/flags.h"

#include "client/ctl/feedback/options.h"

namespace digit {
namespace {

constexpr char kExamples[] = R"(Examples:
  digitctl feedback add img.png --label 7               it is a 7, whatever the server says
  digitctl feedback add blot.png --not-a-digit          it shows no digit
  digitctl feedback list --state pending --show         what nobody has reviewed, drawn
  digitctl feedback review accept 12 15                 only what is accepted trains
  digitctl feedback export --out corrections            as MNIST's files, and feedback.csv

A picture is kept as the model sees it, 28x28. Without --answered, `add` asks the server first what it answers. `list`,
`export` and `review` are for admins: where the server has a token, with --admin-token-file.
Exit codes: 0 done; 1 the picture cannot be read or shows nothing, or there is nothing to export; 2 wrong usage,
3 the server cannot be reached or did not answer in time, 4 it refused: the reason is on standard error.)";

CLI::App* AddSubcommand(CLI::App* feedback, const std::string& name, const std::string& about) {
  CLI::App* command = feedback->add_subcommand(name, about);
  command->footer(kExamples);
  return command;
}

void AddFormat(CLI::App* command, std::string* format) {
  command->add_option("-o,--output", *format, "How to print: text or json (one object a line)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

void AddModel(CLI::App* command, Flags* flags, const std::string& none) {
  command->add_option("--model", flags->model, "Name of the model; default: " + none)->type_name("NAME");
}

void AddAdd(CLI::App* feedback, Flags* flags, std::string* format) {
  CLI::App* add = AddSubcommand(feedback, "add", "Say what a picture really shows");
  FeedbackOptions& options = flags->feedback;
  add->add_option("PICTURE", flags->files, "An image file, or - for standard input")
      ->required()
      ->expected(1)
      ->type_name("");
  CLI::Option* label = add->add_option("--label", options.label, "The right label")->type_name("LABEL");
  add->add_flag("--not-a-digit", options.not_a_digit, "It shows none of the classes")->excludes(label);
  CLI::Option* answered =
      add->add_option("--answered", options.answered, "The label that was answered; default: what the server says now")
          ->type_name("LABEL");
  add->add_flag("--answered-not-a-digit", options.answered_not_a_digit, "The answer was: not a digit")
      ->excludes(answered);
  AddModel(add, flags, "the server's");
  add->add_option("--version,--model-version", flags->model_version, "Version of the model that answered")
      ->type_name("VERSION");
  add->add_option("--source", options.source, "Who says so; default: this machine's address, as the server sees it")
      ->type_name("NAME");
  AddFormat(add, format);
}

void AddState(CLI::App* command, FeedbackOptions* options, const std::string& none) {
  command->add_option("--state", options->state, "Only those that are pending, accepted or rejected; default: " + none)
      ->type_name("STATE")
      ->check(CLI::IsMember({"pending", "accepted", "rejected"}));
}

}  // namespace

CLI::App* AddFeedbackCommand(CLI::App* app, Flags* flags, std::string* format) {
  CLI::App* feedback = app->add_subcommand("feedback", "Say what pictures really show, list, review, export that");
  feedback->footer(kExamples);
  feedback->require_subcommand(1);
  AddAdd(feedback, flags, format);

  CLI::App* list = AddSubcommand(feedback, "list", "List corrections, the newest first");
  AddModel(list, flags, "all");
  AddState(list, &flags->feedback, "all");
  list->add_option("--limit", flags->feedback.limit, "How many at most")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  list->add_flag("--show", flags->show, "Draw the pictures (text only)");
  AddFormat(list, format);

  CLI::App* exported = AddSubcommand(feedback, "export", "Write corrections as MNIST's files");
  exported->add_option("--out", flags->feedback.out, "Folder to make")->required()->type_name("FOLDER");
  AddModel(exported, flags, "the server's");
  AddState(exported, &flags->feedback, "accepted");
  exported->add_flag("--force", flags->force, "Replace a folder that an export has made before");

  CLI::App* review = AddSubcommand(feedback, "review", "Accept or reject corrections");
  review->add_option("DECISION", flags->feedback.decision, "accept, reject, or pending to take it back")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"accept", "reject", "pending"}));
  review->add_option("ID", flags->feedback.ids, "Which, as `list` shows them")
      ->required()
      ->expected(1, 1000)
      ->type_name("");
  AddFormat(review, format);
  return feedback;
}

Command FeedbackCommandOf(const CLI::App& feedback) {
  const std::string name = feedback.get_subcommands().at(0)->get_name();
  return name == "add"      ? Command::kFeedbackAdd
         : name == "list"   ? Command::kFeedbackList
         : name == "export" ? Command::kFeedbackExport
                            : Command::kFeedbackReview;
}

std::string CheckFeedbackFlags(const Flags& flags) {
  if (flags.command != Command::kFeedbackAdd) return "";
  const FeedbackOptions& options = flags.feedback;
  if (options.label.empty() && !options.not_a_digit) return "--label LABEL or --not-a-digit is needed";
  return "";
}

}  // namespace digit
