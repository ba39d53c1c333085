namespace MPSec.Features.Network;

/// <summary>Texts of the MPTCP settings.</summary>
public sealed class MptcpTexts;
