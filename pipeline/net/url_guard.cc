#include "pipeline/net/url_guard.h"

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <optional>

#include "base/ascii.h"

namespace net {
namespace {

namespace urls = boost::urls;

constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035
constexpr std::size_t kMaxLabelBytes = 63;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_label(std::string_view label) {
  const auto allowed = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= kMaxLabelBytes && std::all_of(label.begin(), label.end(), allowed);
}

// Resolvers take a name whose last label is a number, also a hexadecimal one, for an IPv4 address.
bool reads_as_number(std::string_view label) {
  return std::all_of(label.begin(), label.end(), is_digit) || label.starts_with("0x");
}

// Labels with dots between them, in lower case.
bool is_dns_name(std::string_view host) {
  if (host.empty() || host.size() > kMaxHostBytes) return false;
  while (true) {
    const std::size_t dot = host.find('.');
    const std::string_view label = host.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == std::string_view::npos) return !reads_as_number(label);
    host.remove_prefix(dot + 1);
  }
}

// In its normal form; nothing if it is neither a DNS name nor an IP address.
std::optional<std::string> host_of(const urls::url_view& url) {
  if (url.host_type() == urls::host_type::ipv4) return url.host_ipv4_address().to_string();
  if (url.host_type() == urls::host_type::ipv6) return url.host_ipv6_address().to_string();
  std::string name = base::lower(std::string_view{url.encoded_host().data(), url.encoded_host().size()});
  if (name.ends_with('.')) name.pop_back();
  return is_dns_name(name) ? std::optional(name) : std::nullopt;
}

// ---- addresses ------------------------------------------------------------------------------------------------------

template <std::size_t N>
struct Range {
  std::array<std::uint8_t, N> prefix;
  unsigned bits;
};

template <std::size_t N>
bool within(std::span<const std::uint8_t> address, const Range<N>& range) {
  for (unsigned bit = 0; bit < range.bits; ++bit) {
    if (((address[bit / 8] ^ range.prefix[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

constexpr std::array<Range<4>, 16> kNotPublicV4 = {{
    {{0}, 8},              // this network
    {{10}, 8},             // private
    {{100, 64}, 10},       // shared by carriers (CGNAT)
    {{127}, 8},            // loopback
    {{169, 254}, 16},      // link-local, with the clouds' metadata services
    {{172, 16}, 12},       // private
    {{192, 0, 0}, 24},     // IETF protocol assignments
    {{192, 0, 2}, 24},     // documentation
    {{192, 31, 196}, 24},  // AS112
    {{192, 88, 99}, 24},   // 6to4 relays, withdrawn
    {{192, 168}, 16},      // private
    {{198, 18}, 15},       // benchmarking
    {{198, 51, 100}, 24},  // documentation
    {{203, 0, 113}, 24},   // documentation
    {{224}, 4},            // multicast
    {{240}, 4},            // reserved, and broadcast
}};

constexpr Range<16> kV4Mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
constexpr Range<16> kNat64 = {{0, 0x64, 0xff, 0x9b}, 96};
constexpr Range<16> k6to4 = {{0x20, 0x02}, 16};
constexpr Range<16> kGlobalUnicastV6 = {{0x20}, 3};
constexpr std::array<Range<16>, 3> kNotPublicV6 = {{
    {{0x20, 0x01, 0x00}, 23},        // IETF protocol assignments: Teredo, benchmarking, ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x3f, 0xff, 0x00}, 20},        // documentation
}};

bool is_public_v4(std::span<const std::uint8_t> address) {
  return std::none_of(kNotPublicV4.begin(), kNotPublicV4.end(),
                      [&](const auto& range) { return within(address, range); });
}

bool is_public_v6(std::span<const std::uint8_t> address) {
  if (within(address, kV4Mapped) || within(address, kNat64)) return is_public_v4(address.subspan(12, 4));
  if (within(address, k6to4)) return is_public_v4(address.subspan(2, 4));
  return within(address, kGlobalUnicastV6) && std::none_of(kNotPublicV6.begin(), kNotPublicV6.end(),
                                                           [&](const auto& range) { return within(address, range); });
}

}  // namespace

bool is_public_address(std::span<const std::uint8_t> address) {
  if (address.size() == 4) return is_public_v4(address);
  return address.size() == 16 && is_public_v6(address);
}

std::string UrlParts::authority() const {
  std::string out = host_is_ipv6() ? "[" + host + "]" : host;
  if (port != (secure ? 443 : 80)) out += ":" + std::to_string(port);
  return out;
}

tl::expected<UrlParts, std::string> parse_url(std::string_view text, std::string_view scheme) {
  const auto refuse = [](std::string why) { return tl::unexpected<std::string>(std::move(why)); };
  const auto parsed = urls::parse_uri(text);
  if (!parsed) return refuse("this is no URL");
  const urls::url_view& url = *parsed;
  const std::string plain(scheme);
  const std::string given = base::lower(std::string_view{url.scheme().data(), url.scheme().size()});
  if (given != plain && given != plain + "s")
    return refuse("the URL starts with neither " + plain + "s:// nor " + plain + "://");
  if (!url.has_authority() || url.has_userinfo()) return refuse("the URL must name a host, and no user");

  // Boost 1.81 takes what it cannot read of an authority ("127.0.0.1.1", ":80x") for a path; RFC 3986 wants a slash.
  const auto path = url.encoded_path();
  if (!path.empty() && path.front() != '/') return refuse("the host or the port is malformed");

  const auto host = host_of(url);
  if (!host) return refuse("the host is neither a DNS name nor an IP address in its usual form");
  UrlParts out{.secure = given != plain, .host = *host};
  out.port = out.secure ? 443 : 80;
  if (url.has_port() && !url.port().empty()) {
    if (url.port_number() == 0) return refuse("the port is not between 1 and 65535");
    out.port = url.port_number();
  }
  out.target = path.empty() ? "/" : std::string(path.data(), path.size());
  if (url.has_query()) out.target += "?" + std::string(url.encoded_query().data(), url.encoded_query().size());
  return out;
}

std::string RelayUrl::text() const {
  return (secure ? "wss://" : "ws://") + authority() + (target == "/" ? "" : target);
}

base::Result<RelayUrl> parse_relay_url(std::string_view text) {
  auto parts =
      text.size() <= kMaxRelayUrlBytes
          ? parse_url(text, "ws")
          : tl::unexpected<std::string>("the URL has more than " + std::to_string(kMaxRelayUrlBytes) + " bytes");
  if (parts) return RelayUrl{std::move(*parts)};
  return base::fail(base::ErrorKind::connection, "relay_url.invalid", parts.error(), {},
                    "a relay's URL looks like wss://relay.example.com");
}

}  // namespace net
