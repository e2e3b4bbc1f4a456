#include "daemon/app/daemon_config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/app/flags.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ParsedFlags Parse(std::vector<std::string> args) {
  args.insert(args.begin(), "digitd");
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  return ParseFlags(static_cast<int>(argv.size()), argv.data());
}

TEST(DaemonConfigTest, ReportsEveryProblemAtOnce) {
  DaemonConfig config;
  config.listen = "nowhere";
  config.engine = "gpu";
  config.max_batch_size = 0;
  config.devices = "tpu";
  const std::string message(Validate(config).message());
  for (const char* key :
       {"model: is missing", "listen: 'nowhere'", "engine: is 'gpu'", "max-batch-size: is 0", "devices: 'tpu'"}) {
    EXPECT_THAT(message, HasSubstr(key));
  }
}

TEST(DaemonConfigTest, ModelsAreNamedByTheirStemOrByHand) {
  EXPECT_EQ(ParseModelFlag("dir/mnist.pt").name, "mnist");
  EXPECT_EQ(ParseModelFlag("fashion=dir/f.pt").name, "fashion");
  EXPECT_EQ(ParseModelFlag("fashion=dir/f.pt").path, "dir/f.pt");
  EXPECT_EQ(ParseModelFlag("dir/a=b.pt").path, "dir/a=b.pt");
  DaemonConfig config;
  config.models = {"a.pt", "dir/a.pt"};
  EXPECT_THAT(std::string(Validate(config).message()), HasSubstr("'a' is given twice"));
  config.models = {"Big Name.pt"};
  EXPECT_THAT(std::string(Validate(config).message()), HasSubstr("--model NAME=FILE"));
}

TEST(DaemonConfigTest, MetricsAreOffOrHaveAnAddressOfTheirOwn) {
  DaemonConfig config;
  config.models = {"a.pt"};
  EXPECT_TRUE(config.metrics_listen.empty());
  EXPECT_TRUE(Validate(config).ok());
  for (const char* fine : {"127.0.0.1:9464", "0.0.0.0:0", "localhost:65535"}) {
    config.metrics_listen = fine;
    EXPECT_TRUE(Validate(config).ok()) << fine;
  }
  for (const char* wrong : {"9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:+80",
                            "127.0.0.1: 80", "127.0.0.1:80s", "127.0.0.1:99999999999", "1.2.3.4:80,5.6.7.8:x"}) {
    config.metrics_listen = wrong;
    EXPECT_THAT(std::string(Validate(config).message()),
                HasSubstr(std::string("metrics-listen: '") + wrong + "' is not HOST:PORT with a port in 0..65535"));
  }
  config.metrics_listen = config.listen;
  EXPECT_THAT(std::string(Validate(config).message()), HasSubstr("metrics-listen: '127.0.0.1:50051' is the address"));
  config.metrics_listen = config.listen = "127.0.0.1:0";
  EXPECT_TRUE(Validate(config).ok()) << "port 0 picks two";
}

TEST(FlagsTest, ModelMayBeRepeated) {
  const ParsedFlags flags = Parse({"--model", "a.pt", "--model=b=c.pt", "--listen", "[::1]:0"});
  EXPECT_FALSE(flags.exit_code.has_value());
  EXPECT_THAT(flags.config.models, ElementsAre("a.pt", "b=c.pt"));
  EXPECT_EQ(flags.config.listen, "[::1]:0");
}

TEST(FlagsTest, FlagWinsOverEnvironmentWinsOverFile) {
  char folder[] = "/tmp/digit-flags.XXXXXX";
  const std::string file = std::string(mkdtemp(folder)) + "/digitd.conf";
  std::ofstream(file) << "model = [\"file.pt\"]\nreplicas = 1\nmax-batch-size = 1\ndecode-threads = 1\n";
  setenv("DIGITD_MAX_BATCH_SIZE", "2", 1);
  setenv("DIGITD_DECODE_THREADS", "2", 1);
  const ParsedFlags flags = Parse({"--config", file, "--decode-threads", "3"});
  unsetenv("DIGITD_MAX_BATCH_SIZE");
  unsetenv("DIGITD_DECODE_THREADS");
  EXPECT_FALSE(flags.exit_code.has_value());
  EXPECT_THAT(flags.config.models, ElementsAre("file.pt"));
  EXPECT_EQ(flags.config.replicas, 1);
  EXPECT_EQ(flags.config.max_batch_size, 2);
  EXPECT_EQ(flags.config.decode_threads, 3);

  std::ofstream(file) << FormatConfig(flags.config);  // what --print-config shows is what --config reads
  const ParsedFlags again = Parse({"--config", file});
  EXPECT_EQ(FormatConfig(again.config), FormatConfig(flags.config));
  const ParsedFlags with_list = Parse({"--model", "a.pt", "--allowed-batch-sizes", "1,8,32"});
  EXPECT_THAT(with_list.config.allowed_batch_sizes, ElementsAre(1, 8, 32));
  std::ofstream(file) << FormatConfig(with_list.config);
  EXPECT_EQ(FormatConfig(Parse({"--config", file}).config), FormatConfig(with_list.config));

  std::ofstream(file) << "model = [\"file.pt\"]\nno-such-key = 1\n";
  EXPECT_EQ(Parse({"--config", file}).exit_code, kExitUsage);
  std::filesystem::remove_all(folder);
}

TEST(FlagsTest, SwitchesCanBeSetEverywhere) {
  EXPECT_FALSE(Parse({"--model", "a.pt"}).config.access_log);
  EXPECT_FALSE(Parse({"--model", "a.pt"}).config.reflection);
  EXPECT_TRUE(Parse({"--model", "a.pt", "--access-log"}).config.access_log);
  setenv("DIGITD_ACCESS_LOG", "true", 1);
  setenv("DIGITD_VERSION", "true", 1);  // not a setting
  const ParsedFlags flags = Parse({"--model", "a.pt", "--reflection"});
  EXPECT_FALSE(Parse({"--model", "a.pt", "--access-log=false"}).config.access_log);
  unsetenv("DIGITD_ACCESS_LOG");
  unsetenv("DIGITD_VERSION");
  EXPECT_FALSE(flags.exit_code.has_value());
  EXPECT_TRUE(flags.config.access_log);
  EXPECT_TRUE(flags.config.reflection);

  char folder[] = "/tmp/digit-flags.XXXXXX";
  const std::string file = std::string(mkdtemp(folder)) + "/digitd.conf";
  std::ofstream(file) << FormatConfig(flags.config);
  EXPECT_EQ(FormatConfig(Parse({"--config", file}).config), FormatConfig(flags.config));
  std::filesystem::remove_all(folder);
  EXPECT_EQ(Parse({"--model", "a.pt", "--access-log", "--log-level", "warn"}).exit_code, kExitUsage);
}

TEST(FlagsTest, WrongFlagsExitWithTwo) {
  EXPECT_EQ(Parse({"--no-such-flag"}).exit_code, kExitUsage);
  EXPECT_EQ(Parse({}).exit_code, kExitUsage);
  EXPECT_EQ(Parse({"--model", "a.pt", "--max-queue-delay", "5"}).exit_code, kExitUsage);
  EXPECT_EQ(Parse({"--model", "a.pt", "--max-queue-delay", "5ms"}).config.max_queue_delay, absl::Milliseconds(5));
  EXPECT_EQ(Parse({"--help"}).exit_code, kExitOk);
  EXPECT_EQ(Parse({"--version"}).exit_code, kExitOk);
}

}  // namespace
}  // namespace digit
