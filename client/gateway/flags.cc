#include "client/gateway/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/build_info.h"
#include "base/standard_output.h"

namespace digit {
namespace {

constexpr char kHelp[] = R"(REST and web page for digitd.

Examples:
  digit-gateway                                   (http://localhost:8080, asks digitd at localhost:50051)
  digit-gateway --listen 0.0.0.0:8080 --server dns:///digitd:50051
  curl --data-binary @img.png http://localhost:8080/v1/models/mnist:recognize
)";

constexpr char kFooter[] = R"(
Every flag can also be set in the environment (DIGIT_GATEWAY_LISTEN for --listen). SIGTERM and SIGINT finish what was
accepted, then exit 0; a second one ends the process at once. On an address that is not loopback, admin routes want the
admin token of digitd.

Exit codes: 0 stopped or nothing to do, 2 wrong flags, 4 the address is taken.)";

void AddDuration(CLI::App* app, const std::string& name, absl::Duration* value, const std::string& help) {
  app->add_option_function<std::string>(
         name,
         [name, value](const std::string& text) {
           if (!absl::ParseDuration(text, value) || *value <= absl::ZeroDuration()) {
             throw CLI::ValidationError(name, "'" + text + "' is not a duration above 0 such as 500ms or 20s");
           }
         },
         help + " [" + absl::FormatDuration(*value) + "]")
      ->type_name("DURATION");
}

// What a browser's header Origin never is; empty: it may be.
std::string WrongOrigin(const std::string& origin) {
  const size_t scheme = origin.find("://");
  const bool fits = (absl::StartsWith(origin, "http://") || absl::StartsWith(origin, "https://")) &&
                    scheme + 3 < origin.size() && origin.find_first_of("/*?#, ", scheme + 3) == std::string::npos;
  if (!fits) return "'" + origin + "' is no origin such as https://a.example:8443 (no path, no *)";
  const bool has_default_port = absl::EndsWith(origin, scheme == 4 ? ":80" : ":443");
  if (has_default_port || absl::AsciiStrToLower(origin) != origin) {
    return "'" + origin + "' is never sent: browsers write origins in lower case, without the scheme's own port";
  }
  return "";
}

// What a Host without its port never is; empty: it may be.
std::string WrongHost(const std::string& host) {
  const bool has_port = std::count(host.begin(), host.end(), ':') == 1;  // more of them: an IPv6 address
  const bool fits = !host.empty() && !has_port && host.find_first_of("/[]@*, ") == std::string::npos;
  return fits ? "" : "'" + host + "' is no name or address without scheme and port such as digits.example";
}

// What single flags cannot say of each other; empty: they fit.
std::string Contradiction(const GatewayConfig& config) {
  if (config.max_buffered_bytes >= config.max_body_bytes) return "";
  return absl::StrCat("--max-buffered-bytes ", config.max_buffered_bytes, " must be at least --max-body-bytes ",
                      config.max_body_bytes, ", or the largest body would never be taken");
}

void AddOptions(CLI::App* app, GatewayConfig* config) {
  app->option_defaults()->always_capture_default();
  app->add_option("--listen", config->listen, "Address to serve on; port 0 picks one and says it")
      ->type_name("HOST:PORT");
  app->add_option("--server", config->server, "Address of digitd; dns:///NAME:PORT asks all its addresses in turns")
      ->type_name("HOST:PORT");
  app->add_option("--threads", config->threads, "Threads that serve; 0: one per usable core")
      ->check(CLI::Range(0, 256))
      ->type_name("N");
  AddDuration(app, "--timeout", &config->timeout, "How long digitd may take to answer");
  app->add_option("--allow-host", config->hosts,
                  "Name by which this gateway may be called, may be repeated (in the environment: with commas); "
                  "default: on a loopback address localhost, else any")
      ->type_name("HOST")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(WrongHost);
  app->add_option("--allow-origin", config->origins,
                  "Web pages of this origin may ask (CORS), may be repeated (or with commas): https://a.example; "
                  "default: only our own")
      ->type_name("ORIGIN")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(WrongOrigin);
  app->add_option("--max-connections", config->max_connections,
                  "Beyond it the connection whose client has sent nothing for longest is closed")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  app->add_option("--max-body-bytes", config->max_body_bytes, "Size of one request's body")
      ->check(CLI::Range(1, 1 << 30))
      ->type_name("BYTES");
  app->add_option("--max-buffered-bytes", config->max_buffered_bytes,
                  "Of all bodies that are being received or answered; beyond it: 503")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()))
      ->type_name("BYTES");
  AddDuration(app, "--head-timeout", &config->head_timeout, "How long a request's header may take to arrive");
  AddDuration(app, "--body-timeout", &config->body_timeout, "The same of its body");
  AddDuration(app, "--idle-timeout", &config->idle_timeout, "How long a connection may wait for its next request");
  AddDuration(app, "--drain-timeout", &config->drain_timeout, "How long to wait for accepted requests when stopping");
  app->add_option("--log-level", config->log_level, "debug, info, warn, error or off")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->type_name("LEVEL");
  app->add_flag("--access-log", config->access_log, "Log a line for each request");
  for (CLI::Option* option : app->get_options()) {
    if (option->get_lnames().empty() || !option->get_configurable()) continue;
    option->envname("DIGIT_GATEWAY_" +
                    absl::AsciiStrToUpper(absl::StrReplaceAll(option->get_lnames().front(), {{"-", "_"}})));
  }
}

}  // namespace

ParsedGatewayFlags ParseGatewayFlags(int argc, char** argv) {
  ParsedGatewayFlags parsed;
  CLI::App app(kHelp, "digit-gateway");
  app.footer(kFooter);
  app.set_version_flag("--version", absl::StrCat("digit-gateway ", Version(), " (", BuildId(), ")"));
  AddOptions(&app, &parsed.config);
  try {
    app.parse(argc, argv);
    if (const std::string why = Contradiction(parsed.config); !why.empty()) throw CLI::ValidationError(why);
  } catch (const CLI::CallForHelp&) {
    parsed.exit_code = WriteToStandardOutput(app.help()).ok() ? kGatewayOk : 1;
  } catch (const CLI::CallForVersion&) {
    parsed.exit_code = WriteToStandardOutput(app.version() + "\n").ok() ? kGatewayOk : 1;
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "digit-gateway: %s. See digit-gateway --help\n", e.what());
    parsed.exit_code = kGatewayUsage;
  }
  return parsed;
}

}  // namespace digit
