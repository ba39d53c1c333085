namespace MPSec.Components.Layout;

/// <summary>From where the browser of this page came, and to which own address: the request that opened the page told it. One per open page.</summary>
public sealed class BrowserArrival
{
    /// <summary>Address of the browser, or what a trusted proxy says of it; null when unknown.</summary>
    public string? Client { get; private set; }

    /// <summary>Address of this machine that it came to; null when unknown.</summary>
    public string? Server { get; private set; }

    /// <summary>Written once by the frame of the page.</summary>
    public void Set(string? client, string? server) => (Client, Server) = (client, server);
}
