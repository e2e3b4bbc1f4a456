#include "client/ctl/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() { unsetenv("DIGIT_SERVER"); }
  ~FlagsTest() override { unsetenv("DIGIT_SERVER"); }

  static Flags Parsed(const std::vector<std::string>& args) {
    const auto result = ParseFlags(args);
    const auto* exit = std::get_if<EarlyExit>(&result);
    EXPECT_EQ(exit, nullptr) << (exit != nullptr ? exit->text : "");
    return exit == nullptr ? std::get<Flags>(result) : Flags();
  }

  static std::string Refusal(const std::vector<std::string>& args) {
    const auto result = ParseFlags(args);
    const auto* exit = std::get_if<EarlyExit>(&result);
    if (exit == nullptr) return "accepted";
    EXPECT_EQ(exit->code, kExitUsage);
    EXPECT_THAT(exit->text, StartsWith("digitctl: "));
    EXPECT_EQ(exit->text.find('\n'), exit->text.size() - 1) << exit->text;  // one line
    return exit->text;
  }
};

TEST_F(FlagsTest, RecognizeNeedsNothingButAFile) {
  const Flags flags = Parsed({"recognize", "img.png"});
  EXPECT_EQ(flags.command, Command::kRecognize);
  EXPECT_THAT(flags.files, ElementsAre("img.png"));
  EXPECT_EQ(flags.server, "127.0.0.1:50051");
  EXPECT_EQ(flags.timeout, absl::Seconds(10));
  EXPECT_EQ(flags.output, OutputFormat::kText);
  EXPECT_EQ(flags.top_k, 0);
}

TEST_F(FlagsTest, RecognizeTakesAllItsFlagsAmongTheFiles) {
  const Flags flags = Parsed({"recognize", "a.png", "-o", "json", "-", "--top-k", "3", "models", "--timing", "--stream",
                              "--model", "m", "--model-version", "2"});
  EXPECT_THAT(flags.files, ElementsAre("a.png", "-", "models"));  // a file may be named as a command
  EXPECT_EQ(flags.output, OutputFormat::kJson);
  EXPECT_EQ(flags.top_k, 3);
  EXPECT_TRUE(flags.timing);
  EXPECT_TRUE(flags.stream);
  EXPECT_EQ(flags.model, "m");
  EXPECT_EQ(flags.model_version, "2");
}

TEST_F(FlagsTest, ServerAndTimeoutStandBeforeOrAfterTheCommand) {
  EXPECT_EQ(Parsed({"--server", "h:1", "models"}).server, "h:1");
  EXPECT_EQ(Parsed({"models", "--server", "h:1"}).server, "h:1");
  EXPECT_EQ(Parsed({"health", "--timeout=500ms"}).timeout, absl::Milliseconds(500));
}

TEST_F(FlagsTest, AFlagWinsOverTheEnvironment) {
  setenv("DIGIT_SERVER", "env:1", 1);
  EXPECT_EQ(Parsed({"health"}).server, "env:1");
  EXPECT_EQ(Parsed({"health", "--server", "flag:1"}).server, "flag:1");
}

TEST_F(FlagsTest, KnowsItsCommands) {
  EXPECT_EQ(Parsed({"models", "-o", "json"}).command, Command::kModels);
  EXPECT_EQ(Parsed({"health"}).command, Command::kHealth);
  EXPECT_EQ(Parsed({"version"}).command, Command::kVersion);
}

TEST_F(FlagsTest, FeedbackAddTakesAPictureAndWhatIsRight) {
  const Flags flags = Parsed({"feedback", "add", "img.png", "--label", "7", "--answered", "1", "--model", "m",
                              "--version", "3", "--source", "ada", "-o", "json"});
  EXPECT_EQ(flags.command, Command::kFeedbackAdd);
  EXPECT_THAT(flags.files, ElementsAre("img.png"));
  EXPECT_EQ(flags.feedback.label, "7");
  EXPECT_EQ(flags.feedback.answered, "1");
  EXPECT_EQ(flags.feedback.source, "ada");
  EXPECT_EQ(flags.model, "m");
  EXPECT_EQ(flags.model_version, "3");
  EXPECT_EQ(flags.output, OutputFormat::kJson);
  EXPECT_TRUE(Parsed({"feedback", "add", "img.png", "--not-a-digit"}).feedback.not_a_digit);
  EXPECT_THAT(Refusal({"feedback", "add", "img.png"}), HasSubstr("--label LABEL or --not-a-digit is needed"));
  EXPECT_THAT(Refusal({"feedback", "add", "img.png", "--label", "7", "--not-a-digit"}), HasSubstr("excludes"));
  EXPECT_THAT(Refusal({"feedback", "add", "--label", "7"}), HasSubstr("PICTURE is required"));
}

TEST_F(FlagsTest, FeedbackListExportAndReview) {
  const Flags list = Parsed({"feedback", "list", "--state", "pending", "--limit", "5", "--show"});
  EXPECT_EQ(list.command, Command::kFeedbackList);
  EXPECT_EQ(list.feedback.state, "pending");
  EXPECT_EQ(list.feedback.limit, 5);
  EXPECT_TRUE(list.show);
  const Flags exported = Parsed({"feedback", "export", "--out", "folder", "--force"});
  EXPECT_EQ(exported.command, Command::kFeedbackExport);
  EXPECT_EQ(exported.feedback.out, "folder");
  EXPECT_TRUE(exported.force);
  const Flags review = Parsed({"feedback", "review", "reject", "3", "5"});
  EXPECT_EQ(review.command, Command::kFeedbackReview);
  EXPECT_EQ(review.feedback.decision, "reject");
  EXPECT_THAT(review.feedback.ids, ElementsAre(3, 5));
  EXPECT_THAT(Refusal({"feedback", "review", "maybe", "3"}), HasSubstr("maybe"));
  EXPECT_THAT(Refusal({"feedback", "review", "accept", "x"}), HasSubstr("x"));
  EXPECT_THAT(Refusal({"feedback", "list", "--show", "-o", "json"}), HasSubstr("--show draws for people"));
  EXPECT_EQ(Parsed({"model", "stats", "m", "-o", "json"}).command, Command::kStats);
}

TEST_F(FlagsTest, WrongUsageIsOneLineThatSaysWhat) {
  EXPECT_THAT(Refusal({}), HasSubstr("a command is needed"));
  EXPECT_THAT(Refusal({"recognise", "a.png"}), HasSubstr("'recognise' is unknown"));
  EXPECT_THAT(Refusal({"recognize"}), HasSubstr("FILE is required"));
  EXPECT_THAT(Refusal({"recognize", "a.png", "--frobnicate"}), HasSubstr("--frobnicate"));
  EXPECT_THAT(Refusal({"recognize", "a.png", "-o", "xml"}), HasSubstr("xml"));
  EXPECT_THAT(Refusal({"recognize", "a.png", "--top-k", "0"}), HasSubstr("1 to 1000"));
  EXPECT_THAT(Refusal({"recognize", "a.png", "--show", "-o", "csv"}), HasSubstr("--show"));
  EXPECT_THAT(Refusal({"models", "-o", "csv"}), HasSubstr("csv"));
  for (const char* timeout : {"10", "0s", "-1s", "25h", "inf", "soon"}) {
    EXPECT_THAT(Refusal({"health", "--timeout", timeout}), HasSubstr(timeout));
  }
}

TEST_F(FlagsTest, HelpLeadsWithExamplesAndListsExitCodes) {
  for (const std::vector<std::string>& args : {std::vector<std::string>{"--help"}, {"recognize", "--help"}}) {
    const EarlyExit exit = std::get<EarlyExit>(ParseFlags(args));
    EXPECT_EQ(exit.code, kExitOk);
    EXPECT_LT(exit.text.find("Examples:"), exit.text.find("Usage:"));
    EXPECT_NE(exit.text.find("Usage:"), std::string::npos);
    EXPECT_THAT(exit.text, HasSubstr("Exit codes:"));
  }
  EXPECT_THAT(std::get<EarlyExit>(ParseFlags({"--version"})).text, StartsWith("digitctl "));
}

}  // namespace
}  // namespace digit
