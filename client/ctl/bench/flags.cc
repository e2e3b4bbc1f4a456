#include "client/ctl/bench/flags.h"

#include <cstdint>

namespace digit {
namespace {

constexpr char kFooter[] =
    R"(Ctrl-C prints what was measured so far. --server and --timeout are as for all commands (digitctl --help).
Exit codes:
  0  measured, and every answer was right
  1  a request failed, was answered wrongly or not sent in time, or the run was cut short
  2  wrong usage: flags, pictures that cannot be read, a plot that cannot be written
  3  the server cannot be reached, or did not answer within --timeout
  4  the server refused (an unknown model, say), or the output could not be written)";

void AddLoad(CLI::App* bench, BenchTexts* texts, BenchOptions* options) {
  bench
      ->add_option("--concurrency", texts->concurrency,
                   "Closed loop: requests in flight, 64, a list 1,8,64 or a range 1:64:2x. Default: 64")
      ->type_name("SWEEP");
  bench->add_option("--rate", texts->rate, "Open loop: requests a second, as Poisson arrivals; 2000, or a sweep")
      ->type_name("SWEEP");
  bench
      ->add_option("--max-outstanding", options->max_outstanding,
                   "Open loop: unanswered requests at most; what is due beyond is not sent, and counted")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->capture_default_str();
  bench->add_option("--mode", texts->mode, "unary calls, stream, or packed: unary calls with many raw images each")
      ->type_name("MODE")
      ->check(CLI::IsMember({"unary", "stream", "packed"}))
      ->capture_default_str();
  bench->add_option("--images-per-message", texts->images_per_message, "For stream (default 1) and packed (default 64)")
      ->type_name("N")
      ->check(CLI::Range(1, 16'384));
  bench->add_option("--streams", options->streams, "For stream: how many share the requests in flight")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  bench->add_option("--connections", options->connections, "TCP connections; each has a thread, up to the cores")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
}

void AddPictures(CLI::App* bench, BenchOptions* options) {
  bench->add_option("--images", options->images, "Picture files, folders or quoted patterns, sent as they are")
      ->type_name("FILE");
  bench->add_option("--idx", options->idx, "A folder with MNIST's files: its test set, sent raw, labels checked")
      ->type_name("DIR");
  bench->add_option("--generate", options->generate, "Without --images and --idx: how many digits to draw")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  bench->add_option("--seed", options->seed, "Of the drawn digits and of the arrivals")
      ->type_name("N")
      ->capture_default_str();
}

void AddMeasuring(CLI::App* bench, BenchTexts* texts, BenchOptions* options) {
  bench->add_option("--warmup", texts->warmup, "Load before measuring")->type_name("TIME")->capture_default_str();
  bench->add_option("--window", texts->window, "Length of a window")->type_name("TIME")->capture_default_str();
  bench
      ->add_option("--stable", texts->stable,
                   "Stop when throughput and median of three windows in a row are within this of their mean")
      ->type_name("N%")
      ->capture_default_str();
  bench->add_option("--duration", texts->duration, "Stop after that, stable or not; for each point of a sweep")
      ->type_name("TIME")
      ->capture_default_str();
  bench->add_option("--plot", options->plot, "Draw latency histogram and throughput-latency curve into this SVG file")
      ->type_name("FILE");
}

}  // namespace

const char kBenchAbout[] = R"(Measures how fast a server answers under load, and whether every answer is right.

Examples:
  digitctl bench                                       64 calls in flight, generated digits
  digitctl bench --concurrency 1:64:2x --plot out.svg  a sweep, drawn
  digitctl bench --rate 2000                           open loop: latency from when a request was due
  digitctl bench --mode packed --images-per-message 64
  digitctl bench --mode stream --streams 4 --idx data/mnist
  digitctl bench --images scans/ -o json | jq .p99_us

Every request carries another picture. Each picture is first asked for alone; an answer under load that differs is wrong
and named. All windows after the warm-up count, none is thrown away.
)";

CLI::App* AddBenchCommand(CLI::App* app, BenchTexts* texts, Flags* flags, std::string* format) {
  CLI::App* bench = app->add_subcommand("bench", "Measure speed and correctness under load");
  bench->footer(kFooter);
  AddLoad(bench, texts, &flags->bench);
  AddPictures(bench, &flags->bench);
  AddMeasuring(bench, texts, &flags->bench);
  bench->add_option("-o,--output", *format, "How to print: text, json (one object a point) or csv")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "csv"}))
      ->capture_default_str();
  bench->add_option("--model", flags->model, "Name of the model; default: the server's")->type_name("NAME");
  bench->add_option("--model-version", flags->model_version, "Version of the model; default: the live one")
      ->type_name("VERSION");
  return bench;
}

}  // namespace digit
