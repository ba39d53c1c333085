namespace MPSec.Features.Connections;

/// <summary>Marks the texts of the Connections page (ConnectionsTexts.resx and ConnectionsTexts.ko.resx).</summary>
public sealed class ConnectionsTexts;
