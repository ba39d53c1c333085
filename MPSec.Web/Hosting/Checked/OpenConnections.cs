using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace MPSec.Hosting.Checked;

/// <summary>Every connection that browsers and programs hold open to this server.</summary>
internal sealed class OpenConnections
{
    private readonly ConcurrentDictionary<ConnectionContext, byte> _open = new();

    /// <summary>Knows the connection until the returned object is disposed.</summary>
    public IDisposable Enter(ConnectionContext connection)
    {
        _open[connection] = 0;
        return new Entry(this, connection);
    }

    /// <summary>Idle connections end now, the others after the request that they carry; a live page's socket is one long request and stays.</summary>
    public void EndAfterTheirRequest()
    {
        foreach (var connection in _open.Keys)
        {
            connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }
    }

    private sealed class Entry(OpenConnections all, ConnectionContext connection) : IDisposable
    {
        public void Dispose() => all._open.TryRemove(connection, out _);
    }
}
