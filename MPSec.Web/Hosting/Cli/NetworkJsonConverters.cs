using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MPSec.Hosting.Cli;

/// <summary>Addresses as text, as <c>ip -j</c> prints them.</summary>
public sealed class IPAddressJsonConverter : JsonConverter<IPAddress>
{
    /// <inheritdoc/>
    public override IPAddress Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        IPAddress.TryParse(reader.GetString(), out var address) ? address : throw new JsonException("no IP address");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IPAddress value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

/// <summary>Address and port as text: <c>10.99.1.1:5000</c>, <c>[2001:db8::1]:5000</c>.</summary>
public sealed class IPEndPointJsonConverter : JsonConverter<IPEndPoint>
{
    /// <inheritdoc/>
    public override IPEndPoint Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        IPEndPoint.TryParse(reader.GetString() ?? "", out var endPoint) ? endPoint : throw new JsonException("no address with a port");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IPEndPoint value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
